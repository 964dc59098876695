"""The root of every error that a person or a program can act on.

It knows nothing of HTTP and nothing of Django: admin, staff pages and commands show `detail`,
`burki.api` alone turns `code` into an HTTP status.
"""


class BurkiError(Exception):
    """An error with a machine word (`code`), one sentence (`detail`) and facts beside them.

    `facts` are JSON values that go beside code and detail in an API answer (`hint`, `charged`,
    `errors`, …). `retry_after` (whole seconds) says when trying again makes sense.
    Never put a secret or a provider's unread text into any of them.
    """

    code = "error"
    detail = "The request could not be carried out."
    retry_after: int | None = None

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None, **facts):
        self.detail = detail or self.detail
        self.retry_after = retry_after if retry_after is not None else self.retry_after
        self.facts = facts
        super().__init__(self.detail)


def sentence(error: BurkiError) -> str:
    """An error for people: what happened, and what to do."""
    detail = error.detail if error.detail.endswith(".") else f"{error.detail}."
    hint = error.facts.get("hint") or ""
    return detail if hint in detail else f"{detail} {hint}"


class InvalidRequest(BurkiError):
    """The caller's input is wrong. `errors` maps each field to its sentences."""

    code = "invalid_request"


class PayloadTooLarge(BurkiError):
    code = "payload_too_large"
    detail = "The request body is larger than 1 MB."


class PermissionDenied(BurkiError):
    code = "permission_denied"
    detail = "You may not do this."


class NotFound(BurkiError):
    code = "not_found"
    detail = "Not found."


class Unavailable(BurkiError):
    """We failed before anything left for a provider. Nothing was sent, nothing is charged."""

    code = "unavailable"
    detail = "The service is not available for a moment. Nothing was sent; try again."
    retry_after = 5
