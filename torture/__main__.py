"""python -m torture [ROW …] [--short | --long] [--seed N] [--rate N] [--kills N] [--scale X]

Starts real processes on loopback, hurts them, accounts for every event, prints the table, and ends
with 1 if anything was lost or repeated or another promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import sys
import time
import traceback

import structlog

from torture.outcome import Failed, Length, Options, Outcome, Skipped, table
from torture.rows import LONGEST, Row, load

SIDE_BY_SIDE = 3


def options_of(given: argparse.Namespace) -> Options:
    """The options as rows get them."""
    length: Length = "short" if given.short else "long" if given.long else "usual"
    return Options(
        seed=given.seed, length=length, rate=given.rate, kills=given.kills,
        faults=given.faults, scale=given.scale,
        keep=given.keep, loud=not given.quiet,
    )  # fmt: skip


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("rows", nargs="*", help="which rows; none: all (with --short: its rows)")
    parser.add_argument("--list", action="store_true", help="what the rows prove")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="a few rows in a minute")
    length.add_argument("--long", action="store_true", help="all at full length, up to an hour")
    parser.add_argument("--seed", type=int, default=1, help="draws the same faults again")
    parser.add_argument("--rate", type=float, help="events a second, instead of the row's own")
    parser.add_argument("--kills", type=int, help="how many, instead of the row's own")
    parser.add_argument("--faults", type=float, default=1.0, help="of `storm`: 2 is twice as often")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--keep", action="store_true", help="leave databases and logs")
    parser.add_argument("--quiet", action="store_true", help="the table alone")
    return parser.parse_args()


def chosen(rows: dict[str, Row], given: argparse.Namespace) -> list[Row]:
    """The rows to run."""
    unknown = [name for name in given.rows if name not in rows]
    if unknown:
        raise SystemExit(f"no such row: {', '.join(unknown)}; there are {', '.join(rows)}")
    if given.rows:
        return [rows[name] for name in given.rows]
    return [each for each in rows.values() if each.short or not given.short]


Results = dict[str, Outcome | Exception]


async def run(rows: list[Row], options: Options, spent: dict[str, float]) -> Results:
    """Each row's outcome, and how long it took; one that fails does not stop the others.

    The short form's are run side by side: they mostly wait for leases to end. So are, three at a
    time, those of the long form that measure neither speed nor memory. SIGTERM ends all of it as
    Ctrl-C does, so that no PostgreSQL is left behind.
    """
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell_tasks)
    if options.length == "short":
        return dict(await asyncio.gather(*(one(each, options, spent) for each in rows)))
    if options.length == "usual":
        return dict([await one(each, options, spent) for each in rows])
    found: Results = dict([await one(each, options, spent) for each in rows if each.alone])
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def placed(each: Row) -> tuple[str, Outcome | Exception]:
        async with places:
            return await one(each, options, spent)

    others = sorted((each for each in rows if not each.alone), key=lambda row: _late(row.name))
    found |= dict(await asyncio.gather(*(placed(each) for each in others)))
    return {each.name: found[each.name] for each in rows}


def _tell_tasks() -> None:
    """What everything waits for, on SIGUSR1."""
    for each in asyncio.all_tasks():
        each.print_stack(limit=4)


def _late(name: str) -> int:
    """Where a row comes among those that run side by side."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


async def one(
    row: Row, options: Options, spent: dict[str, float]
) -> tuple[str, Outcome | Exception]:
    """A row's name and outcome."""
    options.say(f"{row.name}: {row.proves}")
    begun = time.monotonic()
    got: Outcome | Exception
    try:
        got = await row.run(options)
    except (Skipped, Failed) as error:
        got = error
    except Exception as error:
        traceback.print_exc()
        got = error
    spent[row.name] = time.monotonic() - begun
    options.say(f"{row.name}: {spent[row.name]:.0f} s")
    return row.name, got


def main() -> int:
    """Runs, prints, judges."""
    given = arguments()
    rows = load()
    if given.list:
        for each in rows.values():
            print(f"{each.name:<12} {each.proves}")
        return 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    options = options_of(given)
    spent: dict[str, float] = {}
    begun = time.monotonic()
    work = run(chosen(rows, given), options, spent)
    if importlib.util.find_spec("uvloop"):
        import uvloop

        results = uvloop.run(work)
    else:
        results = asyncio.run(work)
    print(f"\ntorture, seed {options.seed}, {options.length}\n\n{table(results, spent)}")
    print(f"\nall of it: {(time.monotonic() - begun) / 60:.1f} minutes")
    bad = [
        name
        for name, got in results.items()
        if not isinstance(got, Skipped) and not (isinstance(got, Outcome) and got.good)
    ]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
