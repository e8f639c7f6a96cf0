"""`junctor runs`: the history, newest first; and stopped runs, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from junctor.app.cli.groups import Listed

if TYPE_CHECKING:
    from junctor.ports.catalog import Run

__all__ = ["register", "run_record"]

_Scenario = Annotated[str | None, typer.Option("--scenario", help="Only of this one: id or name.")]
_States = Annotated[
    list[str] | None, typer.Option("--state", help="Only in this state. Repeatable.")
]
_Error = Annotated[
    str | None, typer.Option("--error", help="Only with this error: its type or code.")
]
_Since = Annotated[
    str | None,
    typer.Option("--since", help="Only begun since: 2d, 12h, or a date (UTC)."),
]
_All = Annotated[
    bool, typer.Option("--all", help="Do it; without it or ids, they are only counted.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(cls=Listed, invoke_without_command=True)
    _register_bulk(group)
    app.add_typer(group, name="runs")

    @group.callback()
    def runs(
        ctx: typer.Context,
        scenario: Annotated[str | None, typer.Option(help="Only of this one: id or name.")] = None,
        state: Annotated[
            list[str] | None,
            typer.Option(
                help="Only in this state (finished, incomplete, uncertain …). Repeatable."
            ),
        ] = None,
        named: Annotated[
            str | None, typer.Option("--name", help="Only with this in their name.")
        ] = None,
        text: Annotated[
            str | None,
            typer.Option(
                "--search", help="Only with this in their data: words, a number, an address."
            ),
        ] = None,
        since: Annotated[
            str | None, typer.Option(help="Only begun since: 2d, 12h, or a date (UTC).")
        ] = None,
        until: Annotated[str | None, typer.Option(help="Only begun before.")] = None,
        error: Annotated[
            str | None, typer.Option(help="Only with this error: its type or code.")
        ] = None,
        trigger: Annotated[
            list[str] | None,
            typer.Option(help="Only begun by this (delivery, schedule, manual …). Repeatable."),
        ] = None,
        module: Annotated[
            int | None,
            typer.Option(min=0, max=2**31 - 1, help="Only failed in this module: its number."),
        ] = None,
        min_operations: Annotated[
            int, typer.Option(min=0, help="Only with so many operations.")
        ] = 0,
        csv_file: Annotated[
            str | None,
            typer.Option("--csv", help="Write all of them to this file (-: here), as CSV."),
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists runs, newest first."""
        if ctx.invoked_subcommand is not None:
            return
        from dataclasses import replace
        from datetime import UTC, datetime

        from junctor.app.cli.history import write_csv
        from junctor.app.cli.inputs import Usage, typed
        from junctor.app.cli.output import ago, print_json, print_table, size, span
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import all_scenarios, find_scenario
        from junctor.app.search import STATES, TRIGGERS, Filters, instant, search
        from junctor.language import ids

        for each in state or ():
            if each not in STATES:
                raise Usage(f"'{each}' is no state of a run: {', '.join(STATES)}.")
        for each in trigger or ():
            if each not in TRIGGERS:
                raise Usage(f"'{each}' begins no run: {', '.join(TRIGGERS)}.")
        now = datetime.now(UTC)
        filters = Filters(
            text=text,
            states=tuple(state or ()),
            triggers=tuple(trigger or ()),
            name=named,
            since=typed(lambda: instant(since, now)) if since else None,
            until=typed(lambda: instant(until, now, path="until")) if until else None,
            error=error,
            module=module,
            min_operations=min_operations,
        )
        if csv_file is not None:
            run_async(write_csv(csv_file, filters, scenario))
            return

        async def main() -> tuple[list[Run], dict[Any, str]]:
            async with session() as (core, organization_id):
                only = await find_scenario(core, organization_id, scenario) if scenario else None
                asked = replace(filters, scenario_id=only.id if only else None)
                found: list[Run] = []
                cursor: str | None = None
                while len(found) < limit:
                    page = await search(
                        core,
                        organization_id,
                        asked,
                        cursor=cursor,
                        limit=min(200, limit - len(found)),
                    )
                    found.extend(page.items)
                    cursor = page.cursor
                    if cursor is None:
                        break
                every = await all_scenarios(core, organization_id)
                return found, {each.id: each.name for each in every}

        found, names = run_async(main())
        if as_json:
            print_json({"runs": [run_record(run) for run in found]})
            return
        print_table(
            "",
            ("run", "scenario", "name", "status", "started", "#operations", "#duration", "#bytes"),
            (
                (
                    ids.show("run", run.id),
                    names.get(run.scenario_id, "(deleted)"),
                    run.name,
                    _status(run),
                    ago(run.started_at),
                    run.operations,
                    span(run.started_at, run.ended_at),
                    size(run.bytes),
                )
                for run in found
            ),
        )


def _status(run: Run) -> str:
    """Its state; with how many bundles it set aside, which it may have finished without."""
    return f"{run.state}, {run.warnings} aside" if run.warnings else run.state


def _register_bulk(group: typer.Typer) -> None:
    @group.command("retry")
    def retry(
        runs: Annotated[list[str] | None, typer.Argument(help="Their ids.")] = None,
        scenario: _Scenario = None,
        states: _States = None,
        error_type: _Error = None,
        begun: _Since = None,
        do: _All = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Incomplete runs go on, many at once: those named, or with --all those that are found."""
        _bulk("retry", runs, scenario, states, error_type, begun, do=do, as_json=as_json)

    @group.command("discard")
    def discard(
        runs: Annotated[list[str] | None, typer.Argument(help="Their ids.")] = None,
        scenario: _Scenario = None,
        states: _States = None,
        error_type: _Error = None,
        begun: _Since = None,
        do: _All = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Gives stopped runs up, many at once: those named, or with --all those that are found."""
        _bulk("discard", runs, scenario, states, error_type, begun, do=do, as_json=as_json)


def _bulk(
    verb: Any,
    runs: list[str] | None,
    scenario: str | None,
    states: list[str] | None,
    error: str | None,
    since: str | None,
    *,
    do: bool,
    as_json: bool,
) -> None:
    from datetime import UTC, datetime

    from junctor.app.bulk import Filter, act, matching
    from junctor.app.cli.inputs import typed
    from junctor.app.cli.output import console, counted, print_json
    from junctor.app.cli.session import actor, run_async, session
    from junctor.app.scenarios import find_scenario
    from junctor.app.search import instant
    from junctor.language import ids

    begun = typed(lambda: instant(since, datetime.now(UTC))) if since is not None else None

    async def main() -> tuple[int, int]:
        async with session() as (core, organization_id):
            of = None
            if scenario is not None:  # an empty one is none, and not all
                of = await find_scenario(core, organization_id, scenario)
            only = Filter(
                scenario_id=of.id if of is not None else None,
                states=states or (),
                error=error,
                since=begun,
                run_ids=[ids.read("run", each) for each in runs] if runs else None,
            )
            found = await matching(core, organization_id, verb, only)
            if not (do or runs):
                return len(found), 0
            return len(found), await act(core, organization_id, verb, found, actor=actor())

    count, done = run_async(main())
    if as_json:
        print_json({"matching": count, "done": done})
    elif do or runs:
        what = "go on" if verb == "retry" else "are given up"
        console().print(f"{done} of {count} runs {what}.", markup=False)
    else:
        console().print(f"{counted(count, 'run')}; --all does it.", markup=False)


def run_record(run: Any) -> dict[str, Any]:
    """A run as JSON, the same as the API's."""
    import msgspec

    from junctor.app.views import run_view

    record: dict[str, Any] = msgspec.to_builtins(run_view(run))
    return record
