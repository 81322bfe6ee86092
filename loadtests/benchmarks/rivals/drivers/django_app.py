"""A Django project around an app that keeps devices: what its README asks for, on SQLite.

Devices are written before anything is measured. SQLite, in memory, costs the rival less than a
database server would.
"""

from __future__ import annotations

import django
import firebase_admin
from django.conf import settings
from django.core.management import call_command
from firebase_admin import credentials


def set_up(app: str, *, service_account: str, **app_settings: object) -> None:
    """Have Django ready with `app` installed, its tables made and Firebase initialised."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", app],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
        **app_settings,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    firebase_admin.initialize_app(credentials.Certificate(service_account))
