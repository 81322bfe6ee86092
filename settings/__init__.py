"""Configuration: one module per place that Pushcore runs in, and the entry points."""

from settings.celery import app as celery_app

__all__ = ["celery_app"]
