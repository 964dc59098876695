"""Giving many numbers to an assistant at once."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from burki.errors import BurkiError, sentence
from numbers.e164 import display
from numbers.models import PhoneNumber
from numbers.services.assigning import bulk_assign, unassign_number
from numbers.ui.asked import Asked
from numbers.ui.buying import see_other
from numbers.ui.forms import ManyForm
from numbers.ui.selection import monthly_cost, selected
from organizations.pages import page
from organizations.permissions import NUMBERS_WRITE


@page(NUMBERS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def assign_many(request: HttpRequest) -> HttpResponse:
    """GET lists the numbers of `?number=` and asks who shall answer them; POST assigns them."""
    if request.method != "POST":
        form = ManyForm(organization=request.organization)
        return _ask(request, selected(request), form, back=request.GET.get("back", ""))
    asked = Asked.read(request, "assign")
    numbers = selected(request, asked.numbers)
    form = ManyForm(request.POST, organization=request.organization)
    if "nobody" in request.POST:
        done, failures = _take_away(request, numbers)
        told = "answered by nobody now"
    elif not form.is_valid():
        return _ask(request, numbers, form, back=asked.shown["back"], status=400)
    else:
        result = bulk_assign(
            actor=request.actor,
            organization=request.organization,
            assistant_id=form.cleaned_data["assistant"].pk,
            number_ids=[one.pk for one in numbers],
        )
        done, failures = len(result.assigned), result.failures
        told = f"answered by {result.assistant} now"
    if done:
        messages.success(request, f"{done} number{' is' if done == 1 else 's are'} {told}.")
    for one in numbers:
        if why := failures.get(one.pk):
            messages.error(request, f"{display(one.phone_number)} was not changed. {why}")
    response = see_other("numbers")
    if asked.shown["back"]:
        response["Location"] += f"?{asked.shown['back']}"
    return response


def _ask(
    request: HttpRequest,
    numbers: list[PhoneNumber],
    form: ManyForm,
    *,
    back: str,
    status: int = 200,
) -> HttpResponse:
    """`back`: the query string of the list that they were selected in."""
    back = QueryDict(back).urlencode()
    ids = [one.pk for one in numbers]
    context = {
        "numbers": numbers,
        "form": form,
        "answered": sum(one.assistant_id is not None for one in numbers),
        "monthly": monthly_cost(numbers),
        "asked": Asked.of(request, "assign", ids, back=back).signed(),
    }
    return render(request, "numbers/assign.html", context, status=status)


def _take_away(request: HttpRequest, numbers: list[PhoneNumber]) -> tuple[int, dict[int, str]]:
    """How many have no assistant any more, and of each other number why it still has."""
    done, failures = 0, {}
    for one in numbers:
        if one.assistant_id is None:
            failures[one.pk] = "Nobody answered it before."
            continue
        try:
            unassign_number(
                actor=request.actor,
                organization=request.organization,
                assistant_id=None,
                number_id=one.pk,
            )
        except BurkiError as error:
            failures[one.pk] = sentence(error)
        else:
            done += 1
    return done, failures
