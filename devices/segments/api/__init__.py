"""Segments and lists over HTTP."""
