"""How the REST API is described (OpenAPI 3.1, with drf-spectacular).

To describe a new endpoint:

1. In the `schema.py` beside its views write an `Operation`: a summary, the request's serializer,
   a serializer for the answer (only described with it, in `answers.py`), examples, and `errors`:
   the very exceptions that the service raises. Status, code, body and `Retry-After` of an error
   are taken from the exception by the handler that answers real requests, so say nothing twice.
2. Give the view class `operations = {action: Operation}`, beside its `required_scopes`.
3. `make openapi` writes `openapi.yaml`.

What is the same everywhere is added here: the scope, 401, 403, 406, 429 and 503; with a body also
400, 413 and 415. Tests compare the committed file with the views, its examples with its schemas,
and every answer that any test gets with what the file says about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from burki.api import STATUS
from burki.filters import BooleanFilter
from burki.paging import KeysetPagination

JSON = "application/json"

HEADERS: dict[str, dict[str, Any]] = {
    "Location": {
        "description": "The address of the purchase's record, which tells its state now.",
        "schema": {"type": "string", "format": "uri"},
    },
    "Purchase-Id": {
        "description": "The id of the purchase's record.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Idempotent-Replayed": {
        "description": "`true` when this is the stored answer of an earlier, same request.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Whole seconds after which trying again makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Link": {
        "description": "The pages beside this one (RFC 8288), where there are any.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string", "const": "Bearer"},
    },
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What is to be said of one endpoint."""

    tag: str
    summary: str
    description: str = ""
    # The body that is sent: a serializer, or one for each media type.
    request: Any = None
    request_examples: dict[str, Any] = field(default_factory=dict)
    parameters: Sequence[dict[str, Any]] = ()
    # What a success looks like: a serializer, or a JSON schema; and bodies by title.
    answer: Any
    status: int = 200
    examples: dict[str, Any] = field(default_factory=dict)
    media_types: tuple[str, ...] = (JSON,)
    errors: Sequence[Exception] = ()
    # Of `HEADERS`, by status: those that some of its answers have. Retry-After and
    # WWW-Authenticate of errors are known from the exceptions.
    headers: dict[int, Sequence[str]] = field(default_factory=dict)


# --- Fields of answers ---------------------------------------------------------------------------


class Answer(serializers.Serializer):
    """What an answer looks like, for the documentation alone. It has no fields but those that are
    described, unless it is `open_ended`."""

    open_ended = False


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,5}$"})
class Amount(serializers.CharField):
    """Money as a decimal string."""


@extend_schema_field({"type": "string", "format": "date-time", "pattern": "Z$"})
class Instant(serializers.CharField):
    """UTC, whole seconds."""


@extend_schema_field({"type": "boolean", "const": True})
class Success(serializers.BooleanField):
    pass


@extend_schema_field({"type": "null"})
class Null(serializers.JSONField):
    pass


@extend_schema_field({"$ref": "#/components/schemas/Error"})
class ErrorField(serializers.JSONField):
    """An error as it would be answered."""


def code_field(**kwargs: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=list(STATUS), **kwargs)


# --- Parts of an operation -----------------------------------------------------------------------


def parameter(where: str, name: str, schema: dict[str, Any], description: str = "", **over: Any):
    """A parameter in the `path`, the `query` or a `header`; `example` may be given."""
    told = {"in": where, "name": name, "schema": schema, "description": description} | over
    if where == "path":
        told["required"] = True
    return {key: value for key, value in told.items() if value != ""}


def query_of(filters: type[FilterSet], **descriptions: str) -> list[dict[str, Any]]:
    """The query parameters that a list's filters understand."""
    return [
        parameter("query", name, _filter_schema(chosen), descriptions.get(name, ""))
        for name, chosen in filters.base_filters.items()
    ]


def _filter_schema(chosen: django_filters.Filter) -> dict[str, Any]:
    choices = [value for value, _ in chosen.extra.get("choices", [])]
    if isinstance(chosen, django_filters.MultipleChoiceFilter):
        return {"type": "array", "items": {"type": "string", "enum": choices}}
    if choices:
        return {"type": "string", "enum": [*choices, ""]}  # "" filters nothing
    if isinstance(chosen, BooleanFilter):
        return {"type": "boolean"}
    if isinstance(chosen, django_filters.NumberFilter):
        limits = {"minimum": "min_value", "maximum": "max_value"}
        known = {word: chosen.extra[name] for word, name in limits.items() if name in chosen.extra}
        return {"type": "integer"} | known
    for validator in chosen.extra.get("validators", []):
        if isinstance(validator, RegexValidator):
            pattern = validator.regex.pattern.replace(r"\A", "").replace(r"\Z", "")
            return {"type": "string", "pattern": f"^({pattern})?$"}  # "" filters nothing
    return {"type": "string"}


def paging(pagination: type[KeysetPagination]) -> list[dict[str, Any]]:
    """The query parameters of a list's pages."""
    limit = {
        "type": "integer",
        "minimum": 1,
        "maximum": pagination.max_page_size,
        "default": pagination.page_size,
    }
    return [
        parameter("query", "limit", limit, "How many a page holds."),
        parameter(
            "query", "cursor", {"type": "string"}, "Where the page begins: from the last answer."
        ),
    ]


def page_of(answer: type[serializers.Serializer]) -> serializers.Serializer:
    """One page of a list, as `KeysetPagination` answers it."""
    return inline_serializer(
        f"{answer.__name__}Page",
        {
            "items": answer(many=True),
            "next": serializers.URLField(allow_null=True, help_text="null on the last page."),
            "previous": serializers.URLField(allow_null=True),
        },
    )


def page(*items: Any) -> dict[str, Any]:
    """A last page with these, as an example."""
    return {"items": list(items), "next": None, "previous": None}


def raised(call: Callable[..., Any], *arguments: Any, **named: Any) -> Exception:
    """The exception that a call raises: for `errors`, where making one by hand would mean to
    write its sentence again."""
    try:
        call(*arguments, **named)
    except Exception as error:
        return error
    raise AssertionError(f"{call} raised nothing")


def refused(serializer: type[serializers.Serializer], data: dict[str, Any]) -> Exception:
    """What a wrong body is told."""
    return raised(serializer(data=data).is_valid, raise_exception=True)


def wrong_limit(pagination: type[KeysetPagination]) -> Exception:
    return raised(pagination().get_page_size, SimpleNamespace(query_params={"limit": "0"}))
