"""The error tree of this app.

Drivers raise one of three kinds, because three different things happen next (design of money):
`ProviderRefused` (nothing was charged), `ProviderUnreachable` (nothing was sent, or a read got no
usable answer) and `OutcomeUnknown` (a POST that spends may or may not have worked). Only the
services know them; doors see `PurchaseError` and its like.
"""

from burki.errors import BurkiError, NotFound


class ProviderError(BurkiError):
    """Something went wrong at or on the way to a provider."""

    code = "provider_error"
    detail = "The provider could not carry this out."
    hint = ""
    retryable = False
    provider_code = ""
    # The provider's own sentence, cleaned and cut: for staff, never sent to API clients unread.
    provider_message = ""
    # Seconds after which the provider wants to be asked again, if it said so.
    retry_in: int | None = None
    # The field of `Routing` whose value the provider does not know, if that is the trouble.
    unknown_setting = ""

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        hint: str = "",
        retryable: bool | None = None,
        provider_code: str = "",
        provider_message: str = "",
        unknown_setting: str = "",
        status: int = 0,
        retry_in: int | None = None,
    ):
        self.status = status  # the HTTP status of the provider's answer
        self.retry_in = retry_in
        self.code = code or self.code
        self.hint = hint or self.hint
        self.retryable = self.retryable if retryable is None else retryable
        self.provider_code = provider_code
        self.provider_message = provider_message
        self.unknown_setting = unknown_setting
        super().__init__(
            detail,
            hint=self.hint or None,
            retryable=self.retryable,
            provider_code=provider_code or None,
        )


class ProviderRefused(ProviderError):
    """The provider said no, in its own error format. `code` is one of the closed list."""


class ProviderUnreachable(ProviderError):
    """Nothing was sent; or a read had no usable answer. Safe to try again."""

    code = "provider_unreachable"
    detail = "The provider could not be reached."
    hint = "Try again in a moment, with a new Idempotency-Key."
    retryable = True


class OutcomeUnknown(ProviderError):
    """A request that spends money left, and what became of it is not known. Never send it again:
    look for it instead."""

    code = "outcome_unknown"
    detail = "The provider's answer did not arrive."


class NotConfigured(ProviderError):
    """The credentials that decide are missing, incomplete, disabled or unusable. Nothing falls
    through to another level: that would be somebody else's money."""

    code = "not_configured"
    detail = "No usable provider credentials."


class CredentialsRefused(BurkiError):
    """The provider does not accept these credentials, or they do not fit. Nothing was stored."""

    code = "credentials_refused"


class CheckFailed(ProviderError):
    """The provider could not tell how an account stands. Nothing was stored."""

    @classmethod
    def because_of(cls, provider: str, error: ProviderError) -> "CheckFailed":
        """`provider`: its name as people know it."""
        return cls(
            f"{provider} could not be asked about the account. Nothing was changed.",
            code=error.code,
            hint="Try again in a moment." if error.retryable else error.hint,
            retryable=error.retryable,
            provider_code=error.provider_code,
            provider_message=error.provider_message,
        )


class UnsupportedCriteria(BurkiError):
    """A search that this provider cannot do as asked; we never widen it silently."""

    code = "invalid_request"


class SearchFailed(ProviderError):
    """No provider that was asked gave an answer. `failures`: why, by name, when several were."""

    def __init__(self, *args, failures: dict[str, BurkiError] | None = None, **facts):
        super().__init__(*args, **facts)
        self.failures = failures or {}


class RequestFailed(ProviderError):
    """What was asked could not be done at the provider; `detail` says what, the rest says why."""

    AGAIN = "Wait a moment, then repeat this request."  # nothing is bought: no key is needed

    @classmethod
    def because_of(cls, what: str, error: ProviderError) -> "RequestFailed":
        return cls(
            what,
            code=error.code,
            hint=cls.AGAIN if error.retryable else error.hint,
            retryable=error.retryable,
            provider_code=error.provider_code,
            provider_message=error.provider_message,
        )


class PreviewFailed(RequestFailed):
    """The purchase that was asked about could not succeed, or cannot be judged now."""

    def __init__(self, provider: str, **facts):
        super().__init__(f"Failed to preview the purchase at {provider}", **facts)
        self.facts["charged"] = False


class SyncFailed(ProviderError):
    """No account that was to be compared could be."""

    @classmethod
    def of(cls, failures: dict[str, ProviderError]) -> "SyncFailed":
        """Out of why each provider's account failed; there is at least one."""
        first = next(iter(failures.values()))
        same = all(error.code == first.code for error in failures.values())
        return cls(
            f"Failed to sync phone numbers from {' and '.join(failures)}",
            code=first.code if same else cls.code,
            hint="; ".join(
                f"{name}: {error.hint or error.detail}" for name, error in failures.items()
            ),
            retryable=any(error.retryable for error in failures.values()),
        )


class NumberConflict(BurkiError):
    """The number is not, or not any more, in a state in which this can be done."""

    code = "number_conflict"
    _WHY = {
        "claimed": ("is just being bought", "Repeat this request in a few seconds."),
        "pending": ("is not active yet", "Wait until its purchase is completed."),
        "releasing": ("is being released", "Buy it again if you still want it."),
        "released": ("was released", "Buy it again if you still want it."),
    }

    def __init__(self, number, detail: str = "", *, hint: str = ""):
        why, what_to_do = self._WHY.get(number.status, ("was changed meanwhile", "Look at it."))
        super().__init__(detail or f"Phone number {number} {why}.", hint=hint or what_to_do)


class AlreadyVerified(BurkiError):
    code = "already_verified"


class CalledJustNow(BurkiError):
    """Nothing was sent: this telephone has only just been made to ring."""

    code = "throttled"

    def __init__(self, phone_number: str, *, retry_after: int):
        super().__init__(
            f"{phone_number} was called less than a minute ago. "
            f"Try again in {retry_after} second{'' if retry_after == 1 else 's'}.",
            retry_after=retry_after,
        )


class InventoryConflict(BurkiError):
    """What a finding says is not so, or not any more: compare again, and look."""

    code = "inventory_conflict"


class LostRace(Exception):
    """A compare-and-swap found the row already moved: read it again and answer from it."""


class PurchaseError(BurkiError):
    """Why a purchase did not end in a bought number. `purchase` is its record, if there is one."""

    purchase = None
    replayed = False

    def __init__(self, detail: str | None = None, *, purchase=None, replayed=False, **facts):
        super().__init__(detail, **facts)
        self.purchase = purchase
        self.replayed = replayed


class PurchaseRefused(PurchaseError):
    """Nothing was bought and nothing charged; the record says why. `code` is the reason,
    `retry_in` that of a provider which has just asked us to wait."""

    def __init__(self, *, purchase, replayed=False):
        self.code = purchase.refusal_code
        self.retry_in = purchase.retry_in
        super().__init__(
            f"Failed to purchase phone number from {purchase.provider}",
            purchase=purchase,
            replayed=replayed,
            charged=False,
            retryable=purchase.retryable,
            provider_code=purchase.provider_code or None,
            hint=purchase.hint or None,
        )
        if self.code == "unavailable" and not replayed:  # a repeat needs a new key to go on
            self.retry_after = 5


class PurchaseUncertain(PurchaseError):
    """The order may or may not have worked; it is being settled. Never buy again because of it."""

    code = "outcome_unknown"
    retry_after = 15

    def __init__(self, *, purchase, replayed=False):
        super().__init__(
            f"Purchase of {purchase.phone_number} is being confirmed with {purchase.provider}",
            purchase=purchase,
            replayed=replayed,
            charged=None,
            retryable=False,
            hint="Do not buy again. Ask the status URL, or repeat this request, until it settles.",
        )


class PurchaseInProgress(PurchaseError):
    code = "purchase_in_progress"
    retry_after = 5

    def __init__(self, *, purchase):
        super().__init__(
            f"Phone number {purchase.phone_number} is being purchased right now.",
            purchase=purchase,
            hint="Repeat this request in a few seconds; it will not buy twice.",
        )


class NumberAlreadyOwned(PurchaseError):
    code = "number_already_owned"

    def __init__(self, phone_number: str, *, purchase=None, hint: str = ""):
        super().__init__(
            f"Your organization already has {phone_number}.",
            purchase=purchase,
            charged=False,
            hint=hint or "Assign or rename the number that you have.",
        )


class NumberAlreadyInAccount(PurchaseError):
    code = "number_already_in_account"

    def __init__(self, phone_number: str, provider: str):
        super().__init__(
            f"Phone number {phone_number} is already in your {provider} account.",
            charged=False,
            hint="It was bought outside this system: adopt it instead of buying it.",
        )


class IdempotencyKeyReused(PurchaseError):
    code = "idempotency_key_reused"

    def __init__(self, *, purchase=None):
        super().__init__(
            "This Idempotency-Key was used with another request.",
            purchase=purchase,
            charged=False,
            hint="Send a new key with a new request; repeat a request with exactly the same body.",
        )


class NotCancellable(BurkiError):
    """A bulk purchase that has ended cannot be cancelled."""

    code = "not_cancellable"


class NotDecidable(PurchaseError):
    """There is nothing for a person to decide about this purchase now."""

    code = "not_decidable"


class ReleaseError(BurkiError):
    """Why a release did not end with the number given back."""

    release = None
    replayed = False

    def __init__(self, detail: str | None = None, *, release=None, replayed=False, **facts):
        super().__init__(detail, **facts)
        self.release = release
        self.replayed = replayed


class ReleaseRefused(ReleaseError):
    """The number is still ours and still costs. `code` is the reason."""

    def __init__(self, *, release, replayed=False):
        self.code = release.refusal_code
        super().__init__(
            f"Failed to release phone number from {release.number.provider}",
            release=release,
            replayed=replayed,
            retryable=release.retryable,
            provider_code=release.provider_code or None,
            hint=release.hint or None,
        )
        if self.code == "unavailable" and not replayed:  # a repeat needs a new key to go on
            self.retry_after = 5


class ReleaseUncertain(ReleaseError):
    """The number may or may not be gone; it is being settled."""

    code = "outcome_unknown"
    retry_after = 15

    def __init__(self, *, release, replayed=False):
        number = release.number
        super().__init__(
            f"Release of {number.phone_number} is being confirmed with {number.provider}",
            release=release,
            replayed=replayed,
            retryable=False,
            hint="Repeat this request, or look at the number, until it settles.",
        )


class ReleaseInProgress(ReleaseError):
    code = "release_in_progress"
    retry_after = 5

    def __init__(self, *, release):
        super().__init__(
            f"Phone number {release.number.phone_number} is being released right now.",
            release=release,
            hint="Repeat this request in a few seconds.",
        )


class NumberNotReleasable(ReleaseError):
    """Its purchase is not settled yet."""

    code = "purchase_in_progress"
    retry_after = 15


class NumberWasBoughtAgain(ReleaseError):
    code = "number_was_bought_again"

    def __init__(self, *, release):
        super().__init__(
            f"Phone number {release.number.phone_number} was released and bought again since.",
            release=release,
            hint="To release the number that you have now, send a new Idempotency-Key.",
        )


class IdempotencyKeyRequired(PurchaseError):
    code = "idempotency_key_required"

    def __init__(self):
        super().__init__(
            "A purchase with fallback needs an Idempotency-Key.",
            charged=False,
            hint="Send the header Idempotency-Key with a new value, and repeat it on retries.",
        )


class SpendingLimitExceeded(PurchaseError):
    code = "spending_limit_exceeded"


class MonthlyLimitExceeded(SpendingLimitExceeded):
    """The limit of money, not that of count."""


class PriceChanged(PurchaseError):
    code = "price_changed"


class PriceUnknown(PurchaseError):
    code = "price_unknown"


class NumberNotFound(NotFound):
    def __init__(self, phone_number: str):
        super().__init__(f"Phone number {phone_number} not found in database")


class NumberGone(NotFound):
    """We have the number, and its provider says that the account does not."""

    def __init__(self, number, detail: str):
        super().__init__(
            detail,
            hint=f"The {number.provider} account does not have {number} any more: diagnose it.",
        )
