"""Whether an answer is what openapi.yaml says of it."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from burki import docs
from burki.openapi import HEADERS
from burki.openapi_schema import V1

JSON = "application/json"


class Contract:
    """The committed description, ready to be compared with answers."""

    @cached_property
    def document(self) -> dict[str, Any]:
        return docs.document()

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern, dict[str, Any]]]:
        """Those with the fewest variables first."""
        found = sorted(self.document["paths"].items(), key=lambda item: item[0].count("{"))
        return [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations)
            for path, operations in found
        ]

    @cached_property
    def _validators(self) -> dict[str, Any]:
        return {}

    def operations_at(self, path: str) -> dict[str, Any] | None:
        """What is described at a path, under either prefix."""
        under_v1 = path.removeprefix(V1)
        for tried in (path, "" if under_v1.startswith("/api/") else under_v1):
            for pattern, operations in self._paths:
                if pattern.fullmatch(tried):
                    return operations
        return None

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def mismatches(self, schema: dict[str, Any], value: Any) -> list[str]:
        """Why a value does not have a schema's shape."""
        name = json.dumps(schema, sort_keys=True)
        if name not in self._validators:
            whole = schema | {"components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=True
            )
        return [
            f"{'/'.join(map(str, error.instance_path))}: {error.message}"
            for error in self._validators[name].iter_errors(value)
        ]

    def problems(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> list[str]:
        """What is wrong with an answer. Nothing is known of paths that are not described, nor of
        what nobody foresaw: tests that provoke it look at it themselves."""
        operations = self.operations_at(path)
        if operations is None or (status == 500 and b'"internal_error"' in body):
            return []
        if method.lower() not in operations:
            return [] if status in (401, 405) else [f"{method} is not described"]
        described = operations[method.lower()]["responses"].get(str(status))
        if described is None:
            return [f"the status {status} is not described"]
        described = self.resolved(described)
        found = self._header_problems(described.get("headers", {}), headers)
        media_type = headers.get("Content-Type", "").partition(";")[0]
        if media_type not in described["content"]:
            return [*found, f"the content type {media_type!r} is not described"]
        if media_type == JSON:
            schema = described["content"][media_type]["schema"]
            found += self.mismatches(schema, json.loads(body))
        return found

    def _header_problems(self, described: dict[str, Any], headers: Mapping[str, str]) -> list[str]:
        found = [
            f"the header {name} is missing"
            for name, header in described.items()
            if header.get("required") and name not in headers
        ]
        for name in HEADERS:
            if name not in headers:
                continue
            if name not in described:
                found.append(f"the header {name} is not described")
                continue
            schema, value = described[name]["schema"], headers[name]
            number = schema["type"] == "integer" and value.isdecimal()
            wrong = self.mismatches(schema, int(value) if number else value)
            found += [f"the header {name}: {problem}" for problem in wrong]
        return found


contract = Contract()
