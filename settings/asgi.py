"""The ASGI entry point, for servers that want one; nothing in Pushcore needs it."""

import os

from django.core.asgi import get_asgi_application

from settings import serving
from settings.charset import asgi_in_utf_8

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.prod")

application = asgi_in_utf_8(get_asgi_application())
serving.prepare()
