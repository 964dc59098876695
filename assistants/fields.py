"""A column that holds JSON exactly as it came."""

import json
from typing import Any

from django.db import models


class ExactJSONField(models.TextField):
    """JSON as text. PostgreSQL's jsonb would forget the order of keys and turn 1e23 into an
    integer that no double equals; nobody searches in this."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, allow_nan=False, ensure_ascii=False)

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))
