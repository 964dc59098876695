"""The benchmark still runs: a measurement that is only tried once a year is broken then."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.slow


def test_make_bench_names_no_section_and_means_all():
    code = "from burki.bench.__main__ import asked; print(*asked().sections)"

    told = subprocess.run([sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True)

    assert told.stdout.split() == [b"buying", b"calls", b"bulk", b"million", b"soak"], told.stderr


def test_every_short_section_ends_with_its_table(tmp_path):
    """Whether it was fast enough says nothing here; that it was measured does."""
    file = tmp_path / "bench.md"
    sections = ("buying", "calls", "soak")

    done = subprocess.run(
        [sys.executable, "-m", "burki.bench", "--quick", *sections, "--file", str(file)],
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
        "Books after the soak",
    ):
        assert what in told
    (books,) = [row for row in rows if row.startswith("| Books after the soak")]
    assert "| yes |" in books
