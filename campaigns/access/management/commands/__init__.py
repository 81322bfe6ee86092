"""Keys on the command line, one command per module."""
