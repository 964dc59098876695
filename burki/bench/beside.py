"""Parts of the benchmark that need Django in the world's own settings: each in a process."""

import json
import subprocess
import sys
from typing import Any

from django.conf import settings

from burki.tests.processes import World

_PATIENCE = 3600  # seconds


def run_beside(world: World, module: str, asked: Any) -> str:
    """A module of ours in a process of its own in the world, with what it is asked on its standard
    input; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module], input=json.dumps(asked), cwd=settings.BASE_DIR,
        env=world.environment, capture_output=True, text=True, timeout=_PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
