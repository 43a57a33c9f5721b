"""The use cases: one function each, which owns its transaction, asks `domain` for the rules and `store` for the rows."""
