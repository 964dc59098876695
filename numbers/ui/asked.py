"""What a confirm page asked, signed, as its form carries it back."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core import signing
from django.http import HttpRequest

from burki.errors import InvalidRequest
from numbers.models import PhoneNumber

_SALT = "numbers.ui.asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """To do `action` with these numbers, of which the page said what is in `shown`. The key is
    minted when the page is rendered: sending the page twice does it once."""

    organization: int
    action: str
    numbers: list[int]
    shown: dict[str, Any] = field(default_factory=dict)
    key: str

    @classmethod
    def of(cls, request: HttpRequest, action: str, numbers: list[int], **shown: Any) -> Asked:
        return cls(
            organization=request.organization.pk,
            action=action,
            numbers=numbers,
            shown=shown,
            key=str(uuid.uuid4()),
        )

    @classmethod
    def read(cls, request: HttpRequest, action: str) -> Asked:
        """What the posted form was about. Raises `InvalidRequest` for one that was changed on its
        way, is another page's, or was made while the person worked in another organization."""
        try:
            asked = cls(**signing.loads(request.POST.get("asked", ""), salt=_SALT))
        except (signing.BadSignature, TypeError, ValueError):
            asked = None
        if asked is None or asked.action != action:
            raise InvalidRequest(
                "This page was changed on its way here. Nothing was done.",
                hint="Open it again, then confirm.",
            )
        if asked.organization != request.organization.pk:
            raise InvalidRequest(
                f"You work in {request.organization} now, and this page was made for another "
                "organization. Nothing was done.",
                hint="Switch back to go on there.",
            )
        return asked

    def require(self, number: PhoneNumber) -> None:
        """Raises `InvalidRequest` unless the page was about this number alone."""
        if self.numbers != [number.pk]:
            raise InvalidRequest("This form is another number's page. Nothing was done.")

    def signed(self) -> str:
        return signing.dumps(asdict(self), salt=_SALT)
