"""Finding what an address of the staff pages names."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from numbers.models import PhoneNumber


def number_of(request: HttpRequest, pk: int) -> PhoneNumber:
    """A number of the organization; anything else is a 404."""
    rows = PhoneNumber.objects.visible_to(request.organization)
    return get_object_or_404(rows.select_related("organization", "assistant", "account"), pk=pk)
