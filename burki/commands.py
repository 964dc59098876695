"""What management commands share."""

import contextlib
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Wrong arguments end a command with one sentence, not with a traceback."""
    try:
        yield
    except ValidationError as error:
        said = (f"{field}: {' '.join(told)}" for field, told in error.message_dict.items())
        raise CommandError("; ".join(said)) from None
