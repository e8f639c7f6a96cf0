"""`junctor scenarios schedule`: when a scenario starts by itself."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from junctor.app.schedules import Shown
    from junctor.language.firings import Missed

__all__ = ["add", "interval_of", "scheduling_of", "window_of"]

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LIMITS = ("between", "restrict")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNTIMED = {"immediately", "on-demand"}


def add(group: typer.Typer) -> None:
    """Adds the command to `junctor scenarios`."""

    @group.command("schedule")
    def schedule(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        every: Annotated[
            str | None, typer.Option(help="An interval: 30s, 15m, 2h, 1d.", metavar="SPAN")
        ] = None,
        at: Annotated[
            str | None, typer.Option(help="A time of day, 09:30: every day, or on --on.")
        ] = None,
        on: Annotated[
            str | None,
            typer.Option(help="With --at: mon,fri; or days of the month, 1,15."),
        ] = None,
        months: Annotated[
            str | None, typer.Option(help="With days of the month: only in these, 1,7.")
        ] = None,
        once: Annotated[
            str | None, typer.Option(help="One time, 2026-12-24T18:00.", metavar="DATE")
        ] = None,
        on_demand: Annotated[
            bool, typer.Option("--on-demand", help="Only when somebody says so.")
        ] = False,
        given: Annotated[
            str | None,
            typer.Option("--scheduling", help="Make's scheduling JSON; @FILE reads a file."),
        ] = None,
        begin: Annotated[
            str | None,
            typer.Option("--from", help="Not before this date; '' is always.", metavar="DATE"),
        ] = None,
        end: Annotated[
            str | None,
            typer.Option("--until", help="Not after this date; '' is never.", metavar="DATE"),
        ] = None,
        within: Annotated[
            list[str] | None,
            typer.Option(
                help="Only then: 'mon,tue 09:00-17:00', '22:00-06:00', 'sat'; '' is always. "
                "Repeatable: any of them.",
                metavar="WINDOW",
            ),
        ] = None,
        zone: Annotated[
            str | None,
            typer.Option(help="Whose clock: Europe/Berlin; - is the organisation's."),
        ] = None,
        missed: Annotated[
            str | None,
            typer.Option(help="What is missed in a downtime: skip, once (late) or all."),
        ] = None,
        per_minute: Annotated[
            int | None,
            typer.Option(min=0, help="At most so many runs start in a minute; 0: no limit."),
        ] = None,
        pause: Annotated[
            bool | None, typer.Option("--pause/--resume", help="Fire nothing, or go on.")
        ] = None,
        reset: Annotated[
            bool, typer.Option("--reset", help="Back to what its blueprint says.")
        ] = False,
        following: Annotated[
            int, typer.Option("--next", min=0, max=100, help="How many firings to show.")
        ] = 10,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows when a scenario starts by itself and its next firings, or changes it.

        What no option names stays as it is.
        """
        from junctor.app import schedules as service
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import find_scenario

        wanted = scheduling_of(
            every=every,
            at=at,
            on=on,
            months=months,
            once=once,
            on_demand=on_demand,
            given=given,
        )
        limited = any(each is not None for each in (begin, end, within))
        if missed not in {None, "skip", "once", "all"}:
            raise Usage(f"--missed is skip, once or all, not '{missed}'.")
        settings = (zone, missed, per_minute, pause)
        changes = wanted is not None or limited or any(each is not None for each in settings)
        if reset and changes:
            raise Usage("--reset goes alone: it takes the whole schedule back.")

        async def main() -> Shown:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                shown = await service.look(core, found, count=0)
                stored = shown.stored
                if reset:
                    if stored is not None:
                        await service.remove(core, found, actor=actor())
                elif changes:
                    before = dict(shown.scheduling)
                    if wanted is None:
                        scheduling = before
                    elif given is None:  # its limits stay
                        kept = {key: before[key] for key in LIMITS if key in before}
                        scheduling = {**kept, **wanted}
                    else:
                        scheduling = wanted
                    own = stored.zone if stored is not None else None
                    usual: Missed = stored.missed if stored is not None else "once"
                    most = stored.max_per_minute if stored is not None else None
                    paused = stored is not None and stored.paused
                    await service.set_schedule(
                        core,
                        found,
                        actor=actor(),
                        scheduling=_limited(scheduling, begin, end, within),
                        zone=own if zone is None else None if zone == "-" else zone,
                        missed=usual if missed is None else cast("Missed", missed),
                        max_per_minute=most if per_minute is None else per_minute or None,
                        paused=paused if pause is None else pause,
                        revision=stored.revision if stored is not None else 0,
                    )
                return await service.look(core, found, count=following)

        _show(run_async(main()), as_json=as_json, asked=following > 0)


def scheduling_of(
    *,
    every: str | None = None,
    at: str | None = None,
    on: str | None = None,
    months: str | None = None,
    once: str | None = None,
    on_demand: bool = False,
    given: str | None = None,
) -> dict[str, Any] | None:
    """Make's JSON of what the options say; ``None`` if they say nothing. `Misconfigured`."""
    from junctor.app.cli.inputs import Usage

    said = [every is not None, at is not None, once is not None, on_demand, given is not None]
    if sum(said) > 1:
        raise Usage("Choose one of --every, --at, --once, --on-demand and --scheduling.")
    if (on is not None and at is None) or (months is not None and on is None):
        raise Usage("--on goes with --at, and --months with --on.")
    if every is not None:
        return {"type": "indefinitely", "interval": interval_of(every)}
    if once is not None:
        return {"type": "once", "date": once}
    if on_demand:
        return {"type": "on-demand"}
    if given is not None:
        return _given(given)
    if at is None:
        return None
    if on is None:
        return {"type": "daily", "time": at}
    days = [part.strip().casefold() for part in on.split(",")]
    if all(day[:3] in DAYS for day in days):
        if months is not None:
            raise Usage("--months goes with days of the month, such as --on 1,15.")
        return {"type": "weekly", "days": [DAYS.index(day[:3]) for day in days], "time": at}
    if months is None:
        return {"type": "monthly", "days": days, "time": at}
    return {"type": "yearly", "days": days, "months": months.split(","), "time": at}


def interval_of(text: str) -> int:
    """Seconds of ``15m``; a bare number is minutes. `Misconfigured`."""
    from junctor.app.cli.inputs import Usage

    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None:
        raise Usage(f"'{text}' is no interval; write one like 30s, 15m, 2h or 1d.")
    return int(found[1]) * UNITS[found[2] or "m"]


def window_of(text: str) -> dict[str, Any]:
    """A restriction in Make's JSON of ``mon,tue 09:00-17:00``. `Misconfigured`."""
    from junctor.app.cli.inputs import Usage

    out: dict[str, Any] = {}
    for part in text.split():
        if "-" in part and ":" in part:
            begin, _, end = part.partition("-")
            out["time"] = [begin, end]
            continue
        days = [day.casefold()[:3] for day in part.split(",")]
        if not all(day in DAYS for day in days):
            raise Usage(f"'{part}' is neither days (mon,fri) nor hours (09:00-17:00) of a window.")
        out["days"] = [DAYS.index(day) for day in days]
    return out


def _limited(
    scheduling: dict[str, Any], begin: str | None, end: str | None, within: list[str] | None
) -> dict[str, Any]:
    """With these limits; what is not given stays, and '' or nothing but '' takes one away."""
    out = dict(scheduling)
    if begin is not None or end is not None:
        before = out.get("between") or [None, None]
        out["between"] = [
            was if given is None else given or None
            for was, given in zip(before, (begin, end), strict=True)
        ]
    if within is not None:
        out["restrict"] = [window_of(each) for each in within if each.strip()]
    return out


def _given(text: str) -> dict[str, Any]:
    from junctor.app.cli.inputs import Usage, read_json

    found = read_json(text)
    if not isinstance(found, dict):
        raise Usage("--scheduling takes a JSON object, with a type.")
    return found


def _show(shown: Shown, *, as_json: bool, asked: bool) -> None:
    from junctor.app.cli.output import console, print_json
    from junctor.language import ids

    stored = shown.stored
    if as_json:
        print_json(
            {
                "scenario": ids.show("scn", shown.scenario.id),
                "scheduling": shown.scheduling,
                "words": shown.words,
                "zone": shown.zone,
                "missed": stored.missed if stored else "once",
                "max_per_minute": stored.max_per_minute if stored else None,
                "paused": stored is not None and stored.paused,
                "counting": shown.counting,
                "next": shown.following,
                "missed_count": stored.missed_count if stored else 0,
            }
        )
        return
    out = console()
    out.print(f"'{shown.scenario.name}' starts {shown.words} ({shown.zone}).", markup=False)
    if stored is not None and stored.max_per_minute:
        out.print(f"At most {stored.max_per_minute} runs start in a minute.")
    if stored is not None and stored.missed != "once":
        out.print(f"Missed firings: {stored.missed}.")
    if stored is not None and stored.paused:
        goes = "; let go on now, it would start" if shown.following else "."
        out.print(f"It is paused{goes}", style="yellow")
    elif shown.following and not shown.scenario.active:
        out.print("The scenario is off; switched on now, it would start", style="yellow")
    elif asked and not shown.following and shown.scheduling.get("type") not in _UNTIMED:
        out.print("No firing lies ahead: its last one is over.", style="yellow")
    for instant in shown.following:
        out.print(f"  {_local(instant, shown.zone)}", markup=False)
    if stored is not None and stored.missed_count:
        out.print(f"{stored.missed_count} firings were missed so far.", style="dim")


def _local(instant: datetime, zone: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M:%S %z")
