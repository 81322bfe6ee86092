"""The WSGI entry point: `granian --interface wsgi settings.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from settings import serving
from settings.charset import wsgi_in_utf_8

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.prod")

application = wsgi_in_utf_8(get_wsgi_application())
serving.prepare()
