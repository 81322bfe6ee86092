"""The app's name and place."""

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    """Audiences by rule, by list, and what they leave out."""

    name = "devices.segments"
    label = "segments"
