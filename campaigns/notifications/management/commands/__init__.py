"""Channels of notices on the command line, one command per module."""
