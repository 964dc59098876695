"""What the API's documentation says of the phone-number endpoints (see `burki.openapi`)."""

from functools import partial
from typing import Any

from burki.errors import BurkiError, InvalidRequest, NotFound, Unavailable
from burki.openapi import (
    Operation,
    page,
    page_of,
    paging,
    parameter,
    query_of,
    raised,
    refused,
    wrong_limit,
)
from burki.paging import KeysetPagination
from numbers import exceptions as errors
from numbers.api import answers, examples
from numbers.api.assignment_serializers import ChangeRequest
from numbers.api.examples import NUMBER, PURCHASE_ID, STATUS_URL
from numbers.api.serializers import PurchaseRequest, ReleaseRequest, SearchRequest, SettleRequest
from numbers.filters import PhoneNumberFilter, PurchaseFilter
from numbers.models import PhoneNumber, Purchase, Release
from numbers.services.deciding import REASON_MAX
from numbers.services.requests import KEY_MAX
from numbers.services.search import clean_criteria

_operation = partial(Operation, tag="Phone numbers")
_POINTERS = ("Location", "Purchase-Id")

# --- Parameters ----------------------------------------------------------------------------------

IDEMPOTENCY_KEY = parameter(
    "header",
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": KEY_MAX},
    "Names this request, bare or in quotes: sent again with the same body it is the same "
    "purchase or release. Without one, the number itself tells repeats apart.",
    example="order-4711",
)
PHONE_NUMBER = parameter(
    "path",
    "phone_number",
    {"type": "string"},
    "In E.164 format, as `+1…` or `%2B1…`.",
    example=NUMBER,
)
_PURCHASE_ID = parameter("path", "purchase_id", {"type": "string"}, example=PURCHASE_ID)

# --- Errors --------------------------------------------------------------------------------------

NO_SUCH_NUMBER = errors.NumberNotFound(NUMBER)
_NO_SUCH_PURCHASE = NotFound(f"Purchase {PURCHASE_ID} not found")
_NO_SUCH_ASSISTANT = NotFound("Assistant with ID 123 not found")
WRONG_KEY = InvalidRequest(f"Idempotency-Key must be 1 to {KEY_MAX} printable characters")

# What each reason of a provider looks like: the provider's code, the hint, whether to try again.
REASONS: dict[str, tuple[str, str, bool]] = {
    "number_unavailable": ("85001", "Somebody else has it: search and choose another.", False),
    "invalid_number": (
        "10002",
        "Telnyx does not know this number: take one from a search.",
        False,
    ),
    "insufficient_balance": (
        "20100",
        "Add funds to the Telnyx account, then buy again.",
        False,
    ),
    "invalid_credentials": (
        "10009",
        "Check the Telnyx API key: it is wrong, expired or revoked.",
        False,
    ),
    "regulatory_requirement": ("20200", "Correct the address on file at Telnyx.", False),
    "account_restricted": (
        "10038",
        "This Telnyx account may not order such numbers: ask Telnyx support.",
        False,
    ),
    "sms_not_supported": ("21407", "This number cannot do SMS: choose another.", False),
    "rate_limited": (
        "10011",
        "Too many requests at Telnyx: wait a moment, then use a new key.",
        True,
    ),
    "provider_error": (
        "85004",
        "Telnyx does not know the connection id: correct it in the settings.",
        False,
    ),
    "provider_unreachable": ("", errors.ProviderUnreachable.hint, True),
    "not_configured": ("", "Enter Telnyx credentials for the organization.", False),
}

# Those of endpoints that only ask about the account, or about numbers as well.
OF_ACCOUNTS = (
    "insufficient_balance",
    "invalid_credentials",
    "account_restricted",
    "rate_limited",
    "provider_error",
    "provider_unreachable",
    "not_configured",
)
_OF_NUMBERS = ("number_unavailable", "invalid_number", *OF_ACCOUNTS)
NUMBER_CONFLICT = errors.NumberConflict(
    PhoneNumber(phone_number=NUMBER, provider="telnyx", status="releasing")
)


def _with_record(error: errors.PurchaseError) -> errors.PurchaseError:
    """As the view answers it: with the address of the purchase's record."""
    error.facts |= {"purchase_id": PURCHASE_ID, "status_url": STATUS_URL}
    return error


def _purchase(**fields: Any) -> Purchase:
    return Purchase(pk=PURCHASE_ID, phone_number=NUMBER, provider="telnyx", **fields)


def _refused_purchase(code: str) -> BurkiError:
    provider_code, hint, retryable = REASONS[code]
    provider = "twilio" if code == "sms_not_supported" else "telnyx"
    purchase = _purchase(
        refusal_code=code, provider_code=provider_code, hint=hint, retryable=retryable
    )
    purchase.provider = provider
    return _with_record(errors.PurchaseRefused(purchase=purchase))


def _refused_release(code: str) -> BurkiError:
    provider_code, hint, retryable = REASONS[code]
    return errors.ReleaseRefused(
        release=_release(
            refusal_code=code, provider_code=provider_code, hint=hint, retryable=retryable
        )
    )


def _release(**fields: Any) -> Release:
    return Release(number=PhoneNumber(phone_number=NUMBER, provider="telnyx"), **fields)


def failed(
    kind: type[errors.ProviderError], detail: str, codes: tuple[str, ...]
) -> list[BurkiError]:
    """For each reason, what an endpoint that only asks a provider answers."""
    return [
        kind(detail, code=code, provider_code=provider_code, hint=hint, retryable=retryable)
        for code, (provider_code, hint, retryable) in REASONS.items()
        if code in codes
    ]


_WRONG_PURCHASE = [
    refused(PurchaseRequest, {"provider": "vonage", "phone_number": NUMBER}),
    refused(PurchaseRequest, {"provider": "telnyx", "phone_number": "4155551234"}),
    refused(PurchaseRequest, {"provider": "telnyx", "phone_number": NUMBER, "assistant_id": "123"}),
]
_NOT_ALLOWED = [  # also the `problem` of a preview
    errors.SpendingLimitExceeded(
        "The monthly limit is 10.00 USD: 9.20 are committed and this number costs 1.00.",
        charged=False,
        hint="Release a number, or ask an owner to raise the limit.",
    ),
    errors.PriceChanged(
        "The monthly cost is 1.15 USD, more than 1.00.",
        charged=False,
        hint="Raise max_monthly_cost, or choose another number.",
        monthly_cost="1.15",
        setup_cost="0.00",
        currency="USD",
    ),
    errors.PriceUnknown(
        "The monthly cost of this number is not known.",
        charged=False,
        hint="Search for it first, or leave out max_monthly_cost.",
    ),
]

CHANGE_ERRORS = [
    refused(ChangeRequest, {"assistant_id": "1"}),
    InvalidRequest("Nothing to change: give friendly_name or assistant_id"),
    NO_SUCH_NUMBER,
    NotFound("Assistant with ID 123 not found in your organization"),
    NUMBER_CONFLICT,
    *failed(errors.RequestFailed, f"Failed to rename phone number {NUMBER} at telnyx", OF_ACCOUNTS),
]

# --- Operations ----------------------------------------------------------------------------------

PHONE_NUMBERS = {
    "search": _operation(
        summary="Find numbers for sale",
        description="At one provider, or with `all` at both: cheapest first year first. When one "
        "of two fails, the other's numbers are answered, and `providers` says why.",
        request=SearchRequest,
        request_examples={
            "San Francisco": {"area_code": "415", "provider": "telnyx"},
            "Both providers": {"area_code": "415", "provider": "all", "limit": 2},
        },
        answer=answers.SearchAnswer,
        examples={"San Francisco": examples.SEARCH, "Both providers": examples.SEARCH_ALL},
        errors=[
            refused(SearchRequest, {"provider": "vonage"}),
            refused(SearchRequest, {"limit": 51}),
            raised(clean_criteria, area_code="4155"),
            *failed(errors.SearchFailed, "Failed to search phone numbers at telnyx", _OF_NUMBERS),
        ],
    ),
    "purchase": _operation(
        summary="Buy a number",
        description="**Spends money.** The number is bought, its webhooks are set, and it is "
        "assigned to the assistant. Telnyx may take the order and activate the number later: "
        "then `status` is `pending`, and the number is watched until it is active.\n\n"
        "The same request again is answered with the same purchase and "
        "`Idempotent-Replayed: true`; nothing is bought twice. With `fallback` another number "
        "may be bought when this one is not available; that needs an `Idempotency-Key`.",
        parameters=[IDEMPOTENCY_KEY],
        request=PurchaseRequest,
        request_examples=examples.PURCHASES,
        answer=answers.PurchaseAnswer,
        examples={
            "Telnyx": examples.BOUGHT_TELNYX,
            "Twilio": examples.BOUGHT_TWILIO,
            "Telnyx, activation pending": examples.PENDING,
            "With fallback": examples.BOUGHT_INSTEAD,
        },
        headers={
            200: ["Idempotent-Replayed", *_POINTERS],
            409: _POINTERS,
            422: _POINTERS,
            500: ["Idempotent-Replayed", *_POINTERS],
            503: ["Idempotent-Replayed", *_POINTERS],
            504: ["Idempotent-Replayed", *_POINTERS],
        },
        errors=[
            *_WRONG_PURCHASE,
            WRONG_KEY,
            errors.IdempotencyKeyRequired(),
            _NO_SUCH_ASSISTANT,
            *_NOT_ALLOWED,
            errors.NumberAlreadyOwned(NUMBER),
            errors.NumberAlreadyInAccount(NUMBER, "telnyx"),
            _with_record(errors.PurchaseInProgress(purchase=_purchase())),
            _with_record(errors.IdempotencyKeyReused(purchase=_purchase())),
            *map(_refused_purchase, REASONS),
            Unavailable(charged=False),
            _with_record(errors.PurchaseUncertain(purchase=_purchase())),
        ],
    ),
    "purchase_preview": _operation(
        summary="What a purchase would do",
        description="The price, the limit left, the account, the routing and warnings, for the "
        "body of a purchase (`fallback` is ignored). Changes nothing. `problem` is the error "
        "that limits or prices would raise; everything else is answered as the purchase would.",
        request=PurchaseRequest,
        request_examples=examples.PURCHASES,
        answer=answers.PreviewAnswer,
        examples={"It may be bought": examples.PREVIEW},
        errors=[
            *_WRONG_PURCHASE,
            _NO_SUCH_ASSISTANT,
            errors.NumberAlreadyOwned(NUMBER),
            errors.NumberAlreadyInAccount(NUMBER, "telnyx"),
            *(
                errors.PreviewFailed.because_of("telnyx", error)
                for error in failed(errors.ProviderRefused, "", _OF_NUMBERS)
            ),
        ],
    ),
    "release": _operation(
        summary="Give a number back",
        description="It stops costing, and anybody may buy it. `provider` is only needed when "
        "the organization has the number at both.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReleaseRequest,
        request_examples={"A number": {"phone_number": NUMBER}},
        answer=answers.ReleaseAnswer,
        examples={"Released": examples.RELEASED},
        headers={status: ["Idempotent-Replayed"] for status in (200, 500, 503, 504)},
        errors=[
            refused(ReleaseRequest, {"phone_number": "4155551234"}),
            InvalidRequest(f"Phone number {NUMBER} is at telnyx"),
            WRONG_KEY,
            NO_SUCH_NUMBER,
            errors.ReleaseInProgress(release=_release()),
            errors.NumberNotReleasable(
                f"The purchase of {NUMBER} is not settled yet.",
                hint="Wait until it is completed or refused.",
            ),
            errors.NumberWasBoughtAgain(release=_release()),
            errors.IdempotencyKeyReused(),
            *map(_refused_release, REASONS),
            Unavailable(),
            errors.ReleaseUncertain(release=_release()),
        ],
    ),
    "list": _operation(
        summary="The inventory",
        description="Newest first. Without `status`, released numbers are left out.",
        parameters=[
            *query_of(
                PhoneNumberFilter,
                assigned="Whether it has an assistant.",
                country_code="ISO 3166, such as US.",
                search="A part of the number or of its name.",
            ),
            *paging(KeysetPagination),
        ],
        answer=page_of(answers.PhoneNumberRecord),
        examples={"One number": page(examples.NUMBER_RECORD)},
        errors=[wrong_limit(KeysetPagination)],
    ),
    "retrieve": _operation(
        summary="One number",
        description="A released one too, when the organization has not bought it again.",
        parameters=[PHONE_NUMBER],
        answer=answers.PhoneNumberRecord,
        examples={"A number": examples.NUMBER_RECORD},
        errors=[NO_SUCH_NUMBER],
    ),
    "partial_update": _operation(
        summary="Rename a number, or give it to an assistant",
        description="Null and absent leave as it is; `assistant_id` 0 takes it away.",
        parameters=[PHONE_NUMBER],
        request=ChangeRequest,
        request_examples={
            "Another name": {"friendly_name": "San Francisco Support Line"},
            "To nobody": {"assistant_id": 0},
        },
        answer=answers.PhoneNumberRecord,
        examples={"A number": examples.NUMBER_RECORD},
        errors=CHANGE_ERRORS,
    ),
    "purchases": _operation(
        summary="Every attempt to buy",
        description="Newest first; refused ones too.",
        parameters=[
            *query_of(PurchaseFilter, needs_attention="Whether a person should look at it."),
            *paging(KeysetPagination),
        ],
        answer=page_of(answers.PurchaseRecord),
        examples={"One purchase": page(examples.PURCHASE_RECORD)},
        errors=[wrong_limit(KeysetPagination)],
    ),
    "purchase_detail": _operation(
        summary="One attempt to buy",
        description="And its state now: the `status_url` of a purchase that is not known yet.",
        parameters=[_PURCHASE_ID],
        answer=answers.PurchaseRecord,
        examples={"Bought": examples.PURCHASE_RECORD, "Refused": examples.REFUSED_RECORD},
        errors=[_NO_SUCH_PURCHASE],
    ),
    "settle": _operation(
        summary="Settle a purchase in doubt",
        description="Without a decision: look at the provider, and record what it shows. With "
        "one of the `choices` that a look offered, and a reason: decide.",
        parameters=[_PURCHASE_ID],
        request=SettleRequest,
        request_examples={
            "Look": {},
            "Decide": {"decision": "not_bought", "reason": "The account's invoice lacks it."},
        },
        answer=answers.SettleAnswer,
        examples={"It was bought": examples.SETTLED},
        errors=[
            InvalidRequest(f"Give a reason of at most {REASON_MAX} characters"),
            _NO_SUCH_PURCHASE,
            errors.NotDecidable("This purchase is completed: there is nothing to decide."),
        ],
    ),
}

INVENTORY = {
    "sync": _operation(
        summary="Compare accounts with the inventory",
        description="Numbers that only the organization's own provider accounts have are "
        "adopted. Nothing is bought, released, or set at a provider.",
        answer=answers.SyncAnswer,
        examples={"Both providers": examples.SYNCED},
        errors=failed(errors.SyncFailed, "Failed to sync phone numbers from telnyx", OF_ACCOUNTS),
    ),
}
