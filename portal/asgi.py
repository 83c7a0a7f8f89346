"""The web process: uvicorn portal.asgi:application."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

django_application = get_asgi_application()

# Importable only once the settings are set up.
from portal.kit.bodies import BoundedBodies  # noqa: E402

application = BoundedBodies(django_application)
