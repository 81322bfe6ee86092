"""Devices and their projects on the command line."""
