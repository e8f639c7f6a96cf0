"""`junctor runs`: the history, newest first."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register", "run_record"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("runs")
    def runs(
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
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists runs, newest first."""
        from junctor.app.cli.output import ago, print_json, print_table, size, span
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import all_scenarios, find_scenario
        from junctor.errors import Misconfigured
        from junctor.language import ids
        from junctor.ports.catalog import Run

        known = ("running", "waiting", "finished", "incomplete", "uncertain", "discarded")
        for each in state or ():
            if each not in known:
                raise Misconfigured(f"'{each}' is no state of a run: {', '.join(known)}.")

        async def main() -> tuple[list[Run], dict[Any, str]]:
            async with session() as (core, organization_id):
                only = await find_scenario(core, organization_id, scenario) if scenario else None
                found: list[Run] = []
                cursor: str | None = None
                while len(found) < limit:
                    page = await core.catalog.runs(
                        organization_id,
                        scenario_id=only.id if only else None,
                        states=tuple(state or ()),
                        name=named,
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
                    run.state,
                    ago(run.started_at),
                    run.operations,
                    span(run.started_at, run.ended_at),
                    size(run.bytes),
                )
                for run in found
            ),
        )


def run_record(run: Any) -> dict[str, Any]:
    """A run as JSON, the same as the API's."""
    import msgspec

    from junctor.app.views import run_view

    record: dict[str, Any] = msgspec.to_builtins(run_view(run))
    return record
