"""`make bench`: every section, or those that are named, and the table."""

import argparse
import os
import sys
import time
import traceback
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
from burki.tests.processes import World  # noqa: E402

SECTIONS: dict[str, list[Callable]] = {
    "buying": [buying.many_at_once, buying.one_by_one, buying.keeping_alive, buying.searching],
    "calls": [calls.answering],
    "bulk": [bulk.buying_many],
    "million": [million.reading],
    "soak": [soak.soaking],
}
# Whether everything still works, in a minute; such figures say nothing. The million is left out.
QUICK: dict[Callable, dict[str, float]] = {
    buying.many_at_once: {"purchases": 100, "rounds": 1},
    buying.one_by_one: {"times": 3},
    buying.keeping_alive: {"purchases": 20},
    buying.searching: {"times": 2},
    calls.answering: {"calls": 200, "rounds": 1, "purchases": 100},
    bulk.buying_many: {"quantity": 30},
    soak.soaking: {"minutes": 0.2},
}


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = ", ".join(SECTIONS)
    parser.add_argument("sections", nargs="*", type=section, help=f"{names}; all, if none is named")
    parser.add_argument(
        "--numbers", type=int, default=million.NUMBERS, help="of the section million"
    )
    parser.add_argument("--file", type=Path, default=Path(".data/bench.md"))
    parser.add_argument("--quick", action="store_true", help="small, to see whether it works")
    options = parser.parse_args()
    options.sections = options.sections or list(SECTIONS)
    return options


def main() -> int:
    options = asked()
    table, drivers = Table(), Drivers()
    try:
        for name in options.sections:
            with site() as world:
                for part in SECTIONS[name]:
                    if options.quick and part not in QUICK:
                        continue
                    over = QUICK[part] if options.quick else {}
                    if part is million.reading:
                        over = {"numbers": options.numbers}
                    measure(part, world, drivers, table, over)
    finally:
        drivers.close()
        options.file.parent.mkdir(exist_ok=True)
        options.file.write_text(table.markdown())
        print(f"\n{table.markdown()}\nwritten to {options.file}")
    return 1 if table.broken else 0


def section(name: str) -> str:
    if name not in SECTIONS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(SECTIONS)}.")
    return name


def measure(
    part: Callable, world: World, drivers: Drivers, table: Table, over: dict[str, float]
) -> None:
    """What goes wrong in one part is a row of the table, and does not keep us from the others."""
    began = time.monotonic()
    try:
        part(world, drivers, table, **over)
    except Exception as error:
        traceback.print_exc()
        table.add(f"{part.__module__}.{part.__name__}", repr(error)[:300], "", "ends", kept=False)
    print(f"({part.__name__}: {time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
