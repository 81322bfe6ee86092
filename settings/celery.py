"""The Celery application: `celery --app settings worker|beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

app = Celery("pushcore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
