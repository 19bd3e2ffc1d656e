"""Why each connection was opened: records in, causes out. No I/O."""
