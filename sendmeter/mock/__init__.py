"""The mock: the server itself over throw-away stores, in states that have a name, with every answer on demand."""
