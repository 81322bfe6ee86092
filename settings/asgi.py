"""The ASGI entry point, for servers that want one; nothing in Pushcore needs it."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.prod")

application = get_asgi_application()
