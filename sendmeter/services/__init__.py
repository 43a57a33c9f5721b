"""The use cases: one function each. It owns its transaction, asks `domain` for the rules and `store` for the rows."""
