"""The process: workers, signals, file descriptors, the wire protocol, room for connections."""
