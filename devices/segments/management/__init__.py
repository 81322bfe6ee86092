"""Segments and lists of users on the command line."""
