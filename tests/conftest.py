"""Fixtures for every suite."""

pytest_plugins = ["tests.fixtures.fcm", "tests.fixtures.servers"]
