from pathlib import Path

from django.apps import AppConfig


class NumbersConfig(AppConfig):
    name = "numbers"
    verbose_name = "Phone numbers"
    # The module `numbers` is the standard library's (see burki/__init__.py), so Django cannot
    # find our directory from it.
    path = str(Path(__file__).resolve().parent)

    def ready(self) -> None:
        from numbers import checks  # noqa: F401  registers the system checks
