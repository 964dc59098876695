"""drf-spectacular's generator as it serves here: it reads a view's `operations`."""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import uritemplate
from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, is_list_serializer
from rest_framework import exceptions as drf

from burki.api import STATUS, JSONObjectParser, exception_handler
from burki.errors import PayloadTooLarge, Unavailable
from burki.openapi import HEADERS, JSON, Operation, raised
from burki.throttling import TooManyRequests

V1 = "/api/v1"

_TEXT = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "Every error. `detail` is for people, `code` for programs; the rest is there "
    "where it applies.",
    "required": ["detail", "code"],
    "additionalProperties": False,
    "properties": {
        "detail": _TEXT | {"description": "One sentence that says what is wrong."},
        "code": {"type": "string", "enum": list(STATUS)},
        "errors": {
            "type": "object",
            "description": "Each wrong field with its sentences.",
            "additionalProperties": {"type": "array", "items": _TEXT},
        },
        "hint": {"type": ["string", "null"], "description": "The one next step."},
        "charged": {
            "type": ["boolean", "null"],
            "description": "Whether it costs: false is certain, null is not known yet.",
        },
        "retryable": {
            "type": "boolean",
            "description": "Whether the same may work later; with a new Idempotency-Key.",
        },
        "provider_code": {"type": ["string", "null"], "description": "The provider's own code."},
        "purchase_id": _UUID,
        "status_url": {"type": "string", "format": "uri"},
        "scope": _TEXT | {"description": "The scope that is missing."},
        "monthly_cost": {"type": ["string", "null"]},
        "setup_cost": {"type": ["string", "null"]},
        "currency": {"type": ["string", "null"]},
        "requested_phone_number": _TEXT,
        "attempts": {
            "type": "array",
            "description": "Of a purchase with fallback: each number that was tried.",
            "items": {"type": "object"},
        },
    },
}

_EVERYWHERE = [drf.NotAcceptable(), Unavailable()]
_WITH_BODY = [
    raised(JSONObjectParser().parse, io.BytesIO(b"{")),
    PayloadTooLarge(),
    drf.UnsupportedMediaType("text/plain"),
]
_WITH_CALLER = [TooManyRequests(12)]


# --- The generator -------------------------------------------------------------------------------


class StrictFieldSchema(OpenApiSerializerFieldExtension):
    target_class = "burki.fields.StrictField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema, direction):
        return dict(self.target.schema)


class Schema(AutoSchema):
    """One operation of the document, out of the view's `operations`."""

    @property
    def operation(self) -> Operation:
        return self.view.operations[self.view.action]

    @property
    def is_public(self) -> bool:
        return not self.view.get_authenticators()

    def refusals(self) -> list[Exception]:
        """What a caller is told who may not use this endpoint."""
        return []

    def get_operation(self, path, path_regex, path_prefix, method, registry):
        action = getattr(self.view, "action", None)
        if action not in getattr(self.view, "operations", {}):
            warn(f"{method} {path}: describe the action {action!r} in the view's `operations`.")
            return None
        return super().get_operation(path, path_regex, path_prefix, method, registry)

    def get_operation_id(self) -> str:
        words = re.findall("[A-Z][a-z]*", type(self.view).__name__.removesuffix("ViewSet"))
        return "_".join([*words, self.view.action]).lower()

    def get_summary(self) -> str:
        return self.operation.summary

    def get_description(self) -> str:
        return self.operation.description

    def get_tags(self) -> list[str]:
        return [self.operation.tag]

    def get_request_serializer(self):
        return self.operation.request

    def _get_parameters(self) -> list[dict[str, Any]]:
        """Those of the operation; of the path only those that this path has."""
        named = uritemplate.variables(self.path)
        told = [p for p in self.operation.parameters if p["in"] != "path" or p["name"] in named]
        if set(named) - {p["name"] for p in told}:
            warn(f"{self.method} {self.path}: describe the parameters of the path.")
        return told

    def _get_request_body(self, direction="request"):
        if self.operation.request is None:
            return None
        body = super()._get_request_body(direction)
        if self.operation.request_examples:
            body["content"][JSON]["examples"] = _examples(self.operation.request_examples)
        return body

    def _is_list_view(self, serializer=None) -> bool:
        """Answers are described as they are: nothing is guessed about lists and their pages."""
        return is_list_serializer(serializer)

    def _get_paginator(self) -> None:
        return None

    def _map_basic_serializer(self, serializer, direction):
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and not getattr(serializer, "open_ended", False):
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction="response") -> dict[str, Any]:
        told = self.operation
        success = self._get_response_for_code(told.answer, str(told.status), told.media_types)
        success["description"] = success["description"] or "Success."
        for media_type in set(told.media_types) - {JSON}:
            success["content"][media_type] = {"schema": _TEXT}
        if told.examples:
            success["content"][told.media_types[0]]["examples"] = _examples(told.examples)
        responses = {told.status: success} | self._error_responses()
        for status, names in told.headers.items():
            known = responses[status].setdefault("headers", {})
            responses[status]["headers"] = {name: HEADERS[name] for name in names} | known
        return {str(status): responses[status] for status in sorted(responses)}

    def _error_responses(self) -> dict[int, dict[str, Any]]:
        """Those that the operation names, and those that are the same everywhere: the latter are
        written once, among the components."""
        common = list(_EVERYWHERE)
        if self.operation.request is not None:
            common += _WITH_BODY
        if not self.is_public:
            common += [*_WITH_CALLER, *self.refusals()]
        own = {_answer(error)["code"] for error in self.operation.errors}
        common = [error for error in common if _answer(error)["code"] not in own]
        grouped: dict[int, list[Exception]] = defaultdict(list)
        for error in (*self.operation.errors, *common):
            grouped[exception_handler(error, {}).status_code].append(error)
        responses = {}
        for status, errors in grouped.items():
            responses[status] = _error_response(errors)
            shared = all(error in common for error in errors) and status != 403
            if shared and status not in self.operation.headers:
                responses[status] = self._shared(_answer(errors[0])["code"], responses[status])
        return responses

    def _shared(self, name: str, response: dict[str, Any]) -> dict[str, Any]:
        component = ResolvedComponent(name, ResolvedComponent.RESPONSE, response, object=name)
        self.registry.register_on_missing(component)
        return component.ref


def _answer(error: Exception) -> dict[str, Any]:
    """The body with which an exception is answered."""
    return exception_handler(error, {}).data


def _error_response(errors: list[Exception]) -> dict[str, Any]:
    answers = [exception_handler(error, {}) for error in errors]
    codes = list(dict.fromkeys(answer.data["code"] for answer in answers))
    response = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            JSON: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Error"},
                        {"properties": {"code": {"enum": codes}}},
                    ]
                },
                "examples": _examples(_titled(answer.data for answer in answers)),
            }
        },
    }
    headers = {
        name: HEADERS[name] | {"required": all(name in answer.headers for answer in answers)}
        for name in HEADERS
        if any(name in answer.headers for answer in answers)
    }
    return response | ({"headers": headers} if headers else {})


def _titled(bodies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """By code; a code that comes again is counted."""
    titled: dict[str, Any] = {}
    for body in bodies:
        title, n = body["code"], 2
        while title in titled:
            title, n = f"{body['code']} {n}", n + 1
        titled[title] = body
    return titled


def _examples(bodies: dict[str, Any]) -> dict[str, Any]:
    """By a name that is also a valid key of the document."""
    return {
        re.sub("[^A-Za-z0-9]+", "_", title).strip("_").lower(): {"summary": title, "value": body}
        for title, body in bodies.items()
    }


# --- Hooks of drf-spectacular --------------------------------------------------------------------


def without_doubles(endpoints: list[tuple]) -> list[tuple]:
    """Routes that are served under both prefixes are described once, without prefix, as the
    specification writes them; `finish` tells of the other."""
    paths = {path for path, *_ in endpoints}
    return [
        endpoint
        for endpoint in endpoints
        if not (endpoint[0].startswith(V1) and endpoint[0].removeprefix(V1) in paths)
    ]


def finish(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    result["info"]["description"] = _ABOUT
    result["components"]["schemas"] = {"Error": ERROR} | result["components"]["schemas"]
    names: Counter[str] = Counter()
    for path, operations in result["paths"].items():
        for operation in operations.values():  # an action may be served at several paths
            names[operation["operationId"]] += 1
            if names[operation["operationId"]] > 1:
                operation["operationId"] += f"_{names[operation['operationId']]}"
        if not path.startswith("/api/"):
            for operation in operations.values():
                operation["servers"] = _BOTH_PREFIXES
    return result


_BOTH_PREFIXES = [{"url": "/"}, {"url": V1, "description": "The same, as the SDK calls it."}]
_ABOUT = """\
Find, buy, configure, assign and release phone numbers at Twilio and Telnyx.

**Who you are.** Send `Authorization: Bearer burki_…`. A key carries scopes; each operation names
the one that it needs. Signed-in staff may use their session, with `X-CSRFToken` on anything but
GET.

**Errors** are always `{"detail": sentence, "code": word, …}`. A 500 of a purchase says that
nothing was bought; 504 says that it is not known yet: do not buy again, ask `status_url`. An error
that nobody foresaw is 500 `internal_error`, and never the answer to a purchase or release.

**Repeats.** Send an `Idempotency-Key` with a purchase or release: the same key with the same body
gets the same purchase, however often it is sent.

Paths under `/phone-numbers` are served under `/api/v1/phone-numbers` as well. Every answer has an
`X-Request-ID`: yours, if you sent one.
"""
