"""Finds what is wrong with a running Pushcore, and says what to do about it."""
