"""Fixtures for every suite."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.application", "tests.fixtures.fcm", "tests.fixtures.servers"]

# How long an example takes is a matter of the machine, and of what else it has to do.
settings.register_profile("pushcore", deadline=None)
settings.load_profile("pushcore")
