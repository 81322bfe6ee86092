"""The ASGI entry point, for servers that want one; nothing in Pushcore needs it."""

import os

from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from settings.charset import asgi_in_utf_8

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.prod")

application = asgi_in_utf_8(get_asgi_application())
_ = get_resolver().url_patterns  # the views are imported now, not while the first caller waits
