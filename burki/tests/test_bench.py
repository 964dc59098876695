"""The benchmark still runs: a measurement that is only tried once a year is broken then."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.slow


def test_it_runs_as_make_bench_does_and_ends_with_its_table(tmp_path):
    """Whether it was fast enough says nothing here; that it was measured does."""
    file = tmp_path / "bench.md"

    done = subprocess.run(
        [sys.executable, "-m", "burki.bench", "--quick", "--file", str(file)],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=400,
    )

    assert "Traceback" not in done.stderr, done.stderr
    rows = [line for line in file.read_text().splitlines() if line.startswith("| ")]
    told = {row.split(" | ")[0].removeprefix("| ") for row in rows}
    for what in (
        "CPU of the web processes for one purchase",
        "One telnyx purchase after a search, provider at 200 ms",
        "Search at both providers (300 and 500 ms)",
        "/twiml, 32 clients, 2 processes",
        "/twiml beside 64 clients that buy, p95",
        "Bulk purchase of 30 numbers, 4 workers, one killed on the way",
        "Books after the soak",
    ):
        assert what in told
    (books,) = [row for row in rows if row.startswith("| Books after the soak")]
    assert "| yes |" in books
