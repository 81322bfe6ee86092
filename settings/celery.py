"""The Celery application: `celery --app settings worker|beat`."""

import gc
import importlib
import os
import sys

from celery import Celery
from celery.signals import worker_before_create_process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

app = Celery("pushcore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_before_create_process.connect
def share_memory(**_: object) -> None:
    """Keep what is loaded out of garbage collection, in the process that the others come from.

    A collection writes into every object that it looks at, so each process would soon have a copy
    of all code instead of a share in one (`gc.freeze`): 25 MB for each. And billiard has each
    process load a parser of C right after it was forked, where there is one: 5 MB.
    """
    if "cffi" in sys.modules:
        importlib.import_module("cffi.cparser")
    gc.collect()
    gc.freeze()
