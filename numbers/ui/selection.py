"""Numbers that somebody selected in the list."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from django.http import Http404, HttpRequest
from django.http.request import QueryDict

from burki.errors import InvalidRequest
from burki.text import price
from numbers.models import PhoneNumber

MOST = 50  # as many as a page of the list shows
_LARGEST_ID = 2**63 - 1


def selected(request: HttpRequest, ids: Sequence[int] | None = None) -> list[PhoneNumber]:
    """The organization's numbers with these ids, otherwise those of `?number=`, in that order. One
    that is not there is a 404, like a page about it; none at all, or too many, `InvalidRequest`."""
    wanted = list(dict.fromkeys(_asked(request.GET) if ids is None else ids))
    if not wanted:
        raise InvalidRequest("No number is selected.", hint="Select some in the list first.")
    if len(wanted) > MOST:
        raise InvalidRequest(f"At most {MOST} numbers can be selected at a time.")
    rows = PhoneNumber.objects.visible_to(request.organization).select_related("assistant")
    found = rows.in_bulk([pk for pk in wanted if pk <= _LARGEST_ID])
    if len(found) != len(wanted):
        raise Http404
    return [found[pk] for pk in wanted]


def _asked(query: QueryDict) -> list[int]:
    given = query.getlist("number")
    if not all(one.isascii() and one.isdecimal() and len(one) < 20 for one in given):
        raise InvalidRequest("This address does not name numbers of the list.")
    return [int(one) for one in given]


def monthly_cost(numbers: Sequence[PhoneNumber]) -> str:
    """What they cost together: $3.45 a month, in each currency, and for how many nobody knows."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    unknown = 0
    for number in numbers:
        if number.monthly_cost is None:
            unknown += 1
        else:
            sums[number.currency] += number.monthly_cost
    known = [f"{price(amount, currency)} a month" for currency, amount in sorted(sums.items())]
    if unknown:
        known.append(f"a price not known for {unknown}" if known else "a price not known")
    return " and ".join(known)
