"""Rows of models read and written by SQL that is made once: for what money and callers wait on.

The ORM makes its SQL anew for each call, and that is most of what a short statement costs. Here it
is kept, and PostgreSQL keeps its plan (a prepared statement of the connection). Columns are always
named: what a prepared statement gives may not change when a migration adds one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Generic, TypeVar

import psycopg
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class In:
    """Written as a value: so long after the statement began, by the database's clock."""

    span: timedelta


NOW = In(timedelta(0))
_CLOCK = "STATEMENT_TIMESTAMP() + %s"


class _Preparing(psycopg.Cursor):
    """Prepares what it executes. Only while it does: psycopg would keep the last hundred texts of
    Django's own cursors, each with its values, to count how often they come."""

    def execute(self, query: str, params: Sequence[Any]) -> psycopg.Cursor:
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params)
        finally:
            self.connection.prepare_threshold = None


def fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement gives. PostgreSQL binds the parameters: where it cannot tell what one is,
    the SQL casts it. Raises Django's exceptions."""
    with _cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _cursor() -> CursorWrapper:
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.queries_logged:
        return connection.cursor()  # prepares nothing, and its record has the values
    connection.ensure_connection()
    return connection._prepare_cursor(_Preparing(connection.connection))


class Columns(Generic[M]):
    """A model's columns in a SELECT, and its row made of what was found in them. If attributes are
    named, those alone: the row reads others when somebody asks for them."""

    def __init__(self, model: type[M], *named: str) -> None:
        self._model = model
        fields = [f for f in model._meta.concrete_fields if not named or f.attname in named]
        if unknown := set(named) - {field.attname for field in fields}:
            raise FieldDoesNotExist(f"{model.__name__} has no {', '.join(unknown)}.")
        self._names = [field.attname for field in fields]
        self._columns = [field.column for field in fields]
        self._key = fields.index(model._meta.pk)
        self._converters = [
            (place, converter)
            for place, field in enumerate(fields)
            for converter in field.get_db_converters(connections[DEFAULT_DB_ALIAS])
        ]

    def __len__(self) -> int:
        return len(self._names)

    def of(self, table: str) -> str:
        """For a table, or an alias."""
        return ", ".join(f'{table}."{column}"' for column in self._columns)

    def row(self, found: Sequence[Any]) -> M | None:
        """None for what an outer join did not find."""
        if found[self._key] is None:
            return None
        values = list(found)
        for place, convert in self._converters:
            values[place] = convert(values[place], None, None)
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)


def split(found: Sequence[Any], *tables: Columns) -> list[Any]:
    """The rows of several tables that were joined, one after the other."""
    rows, start = [], 0
    for columns in tables:
        rows.append(columns.row(found[start : start + len(columns)]))
        start += len(columns)
    return rows


def insert(*rows: Model) -> None:
    """As `row.save(force_insert=True)` for each, in one statement; no signals. A row may point at
    one before it. What the database fills in is read back."""
    connection = connections[DEFAULT_DB_ALIAS]
    shapes, sent = [], []
    for row in rows:
        fields = [field for field in row._meta.concrete_fields if not _is_made_there(field, row)]
        before = _before(row, rows)
        values = {f.attname: f.pre_save(row, add=True) for f in fields if f.name not in before}
        shapes.append((type(row), tuple(values), _clocked(values), tuple(before.items())))
        sent += [_sent(f, values[f.attname], connection) for f in fields if f.attname in values]
    sql, made = _insert(tuple(shapes))
    (found,) = fetch(sql, sent)
    for (place, name), value in zip(made, found, strict=True):
        setattr(rows[place], name, value)
    for row, (_, _, _, before) in zip(rows, shapes, strict=True):
        for name, place in before:
            setattr(row, name, rows[place])
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def update(
    model: type[Model], values: dict[str, Any], *, where: dict[str, Any], returning: str = ""
) -> list[tuple[Any, ...]]:
    """Write `values` where the columns are as in `where` (none of them null); what each row that
    was has now in the column `returning`, or its primary key."""
    back = returning or model._meta.pk.attname
    sql = _update(model, tuple(values), _clocked(values), tuple(where), back)
    connection, named = connections[DEFAULT_DB_ALIAS], [*values.items(), *where.items()]
    return fetch(
        sql, [_sent(model._meta.get_field(name), value, connection) for name, value in named]
    )


def _is_made_there(field: Field, row: Model) -> bool:
    value = getattr(row, field.attname)
    return isinstance(value, DatabaseDefault) or (field.primary_key and value is None)


def _before(row: Model, rows: Sequence[Model]) -> dict[str, int]:
    """The relations to rows that have no key yet, each with the place of what it points at."""
    return {
        field.name: rows.index(field.get_cached_value(row))
        for field in row._meta.concrete_fields
        if field.is_relation
        and getattr(row, field.attname) is None
        and field.is_cached(row)
        and field.get_cached_value(row) is not None
    }


def _clocked(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, value in values.items() if type(value) is In)


def _sent(field: Field, value: Any, connection: BaseDatabaseWrapper) -> Any:
    return value.span if type(value) is In else field.get_db_prep_save(value, connection)


_Shape = tuple[type[Model], tuple[str, ...], tuple[str, ...], tuple[tuple[str, int], ...]]


@cache
def _insert(shapes: tuple[_Shape, ...]) -> tuple[str, list[tuple[int, str]]]:
    """The statement, and what it gives back: attributes, each with the place of its row."""
    parts, made = [], []
    for place, (model, given, clocked, before) in enumerate(shapes):
        columns = {field.attname: f'"{field.column}"' for field in model._meta.concrete_fields}
        values = {name: _CLOCK if name in clocked else "%s" for name in given}
        for name, earlier in before:
            field = model._meta.get_field(name)
            values[field.attname] = f'(SELECT "{field.target_field.column}" FROM row{earlier})'
        back = [name for name in columns if name not in values or name in clocked]
        back = back or [model._meta.pk.attname]
        made += [(place, name) for name in back]
        parts.append(
            f'''INSERT INTO "{model._meta.db_table}" ({", ".join(columns[name] for name in values)})
            VALUES ({", ".join(values.values())})
            RETURNING {", ".join(columns[name] for name in back)}'''
        )
    if len(parts) == 1:
        return parts[0], made
    named = ", ".join(f"row{place} AS ({sql})" for place, sql in enumerate(parts))
    all_rows = [f"row{place}" for place in range(len(parts))]
    return f"WITH {named} SELECT {'.*, '.join(all_rows)}.* FROM {', '.join(all_rows)}", made


@cache
def _update(
    model: type[Model],
    names: tuple[str, ...],
    clocked: tuple[str, ...],
    where: tuple[str, ...],
    back: str,
) -> str:
    def column(name: str) -> str:
        return f'"{model._meta.get_field(name).column}"'

    sets = (f"{column(name)} = {_CLOCK if name in clocked else '%s'}" for name in names)
    which = (f"{column(name)} = %s" for name in where)
    return f"""
        UPDATE "{model._meta.db_table}" SET {", ".join(sets)}
        WHERE {" AND ".join(which)} RETURNING {column(back)}
    """
