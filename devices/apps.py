"""Django's registration of `devices`."""

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    """Devices and audiences."""

    name = "devices"
