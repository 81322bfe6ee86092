"""A developer's machine and the demo: verbose, and open to loopback only."""

from settings import environment
from settings.base import *  # noqa: F403 - a settings module is the base plus its differences

DEBUG = False
SECRET_KEY = environment.text("SECRET_KEY", "development-only")
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
