"""The test suite: real servers, as `scripts/test` starts them."""

import os

from django.core.exceptions import ImproperlyConfigured

if "DATABASE_URL" not in os.environ:
    message = "The suite needs its servers: run scripts/test instead of pytest."
    raise ImproperlyConfigured(message)

from settings.base import *  # noqa: F403 - the check above must come first

SECRET_KEY = "tests-only"  # noqa: S105 - signs nothing outside the suite
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
