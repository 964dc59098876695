"""`make bench`: every section, or those that are named, and the table."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ |= {"DJANGO_SETTINGS_MODULE": "burki.settings", "DEBUG": "true", "SANDBOX": "true"}
# Ours is only a client; each part that is measured gets its own database.
os.environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/nothing"

import django  # noqa: E402

django.setup()

from burki.bench import bulk, buying, calls, million, soak  # noqa: E402
from burki.bench.load import Drivers  # noqa: E402
from burki.bench.site import site  # noqa: E402
from burki.bench.table import Table  # noqa: E402

SECTIONS: dict[str, list[Callable]] = {
    "buying": [buying.many_at_once, buying.one_by_one, buying.keeping_alive, buying.searching],
    "calls": [calls.answering],
    "bulk": [bulk.buying_many],
    "million": [million.reading],
    "soak": [soak.soaking],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m burki.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[*SECTIONS])
    parser.add_argument(
        "--numbers", type=int, default=million.NUMBERS, help="of the section million"
    )
    parser.add_argument("--file", type=Path, default=Path(".data/bench.md"))
    options = parser.parse_args()
    table, drivers = Table(), Drivers()
    try:
        for name in options.sections:
            with site() as world:
                for part in SECTIONS[name]:
                    more = {"numbers": options.numbers} if part is million.reading else {}
                    part(world, drivers, table, **more)
    finally:
        drivers.close()
        options.file.parent.mkdir(exist_ok=True)
        options.file.write_text(table.markdown())
        print(f"\n{table.markdown()}\nwritten to {options.file}")
    return 1 if table.broken else 0


if __name__ == "__main__":
    sys.exit(main())
