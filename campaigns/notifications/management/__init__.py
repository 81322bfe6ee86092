"""Channels of notices on the command line."""
