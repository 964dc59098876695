"""What gunicorn serves: `gunicorn burki.wsgi -c python:burki.gunicorn_conf`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")

application = get_wsgi_application()
