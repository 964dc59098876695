"""The API's description and two pages that show it, from this server alone (no CDN)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

DESCRIPTION = Path(settings.BASE_DIR) / "openapi.yaml"
_IMAGES = {"img-src": [SELF, "data:"]}


@cache
def _yaml() -> str:
    """As it is committed: a test compares it with the views, and nobody waits for it."""
    return DESCRIPTION.read_text(encoding="utf-8")


@cache
def document() -> dict[str, Any]:
    # The C loader takes a tenth of the time, and is not on every machine.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(_yaml(), loader)


@cache
def _json() -> str:
    return json.dumps(document(), ensure_ascii=False)


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_yaml(), content_type="application/yaml")


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_json(), content_type="application/json")


@require_safe
@csp_update(_IMAGES)
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/swagger.html")


@require_safe
@csp_update(_IMAGES | {"style-src": [SELF, UNSAFE_INLINE], "worker-src": ["blob:"]})
def redoc(request: HttpRequest) -> HttpResponse:
    """Redoc writes its styles into the page: on this one, which shows no data, it may."""
    return render(request, "docs/redoc.html")


urlpatterns = [
    path("openapi.yaml", openapi_yaml, name="openapi-yaml"),
    path("openapi.json", openapi_json, name="openapi-json"),
    path("docs", swagger, name="docs"),
    path("redoc", redoc, name="redoc"),
]
