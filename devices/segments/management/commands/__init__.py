"""Segments and lists of users on the command line, one command per module."""
