"""The answer models of Burki's own Python package, which has the name of this project: loaded from
its file, beside it."""

import importlib.util
from importlib.metadata import distribution
from types import ModuleType
from typing import Any


def _load() -> ModuleType:
    path = distribution("burki").locate_file("burki/models/phone_number.py")
    spec = importlib.util.spec_from_file_location("burki_sdk_phone_number", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = _load()


def parsed(model: str, answer: Any) -> Any:
    """The answer as the package reads it; raises when it cannot."""
    return getattr(models, model).model_validate(answer)
