"""What every template may know of this installation."""

from django.conf import settings
from django.http import HttpRequest


def installation(request: HttpRequest) -> dict[str, bool]:
    return {"sandbox": settings.SANDBOX}
