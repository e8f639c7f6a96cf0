"""`junctor run`: look into one run, or make one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from junctor.app.cli import again, run_control, settle

__all__ = ["register"]

_MOST = 1_000
"""Operations shown, unless more are asked for."""


class _Group(TyperGroup):
    """`junctor run ID` shows the run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """An id in a command's place means ``show``."""
        return super().resolve_command(ctx, ["show", *args] if args[0][:4] == "run_" else args)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        cls=_Group,
        help="Show a run, do it again, stop it, or run a scenario once.",
        no_args_is_help=True,
    )

    @group.command("show")
    def show(
        run: Annotated[str, typer.Argument(help="Its id.")],
        limit: Annotated[
            int, typer.Option(min=0, help="How many operations at most; 0: all.")
        ] = _MOST,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows a run: every operation with its bundles, from its journal; of one that stopped also
        what it sent, what can be edited, and when it is tried again.
        """
        from junctor.app.approvals import open_waits
        from junctor.app.cli.session import run_async, session
        from junctor.app.cli.waits import wait_record
        from junctor.app.inputs import outputs
        from junctor.app.running import first_operations
        from junctor.app.stopped import stopped
        from junctor.errors import Conflict
        from junctor.language import ids
        from junctor.ports.catalog import Run

        async def main() -> tuple[Any, ...]:
            async with session() as (core, organization_id):
                found: Run = await core.catalog.run(organization_id, ids.read("run", run))
                why = None
                if found.state in {"incomplete", "uncertain"}:
                    with suppress(Conflict):  # it stopped before any operation
                        why = await stopped(core, organization_id, found.id)
                waits = []
                if found.state == "waiting":
                    waits = await open_waits(core, organization_id, run_id=found.id, links=True)
                made, more = await first_operations(core, found, limit or None)
                gave = await outputs(core, found)
                return found, made, gave, why, [wait_record(each) for each in waits], more

        *shown, more = run_async(main())
        show_run(*shown, more=more, as_json=as_json)

    @group.command("once")
    def once(
        scenario: Annotated[
            str, typer.Argument(help="Its id or name; with --mock a blueprint's file.")
        ],
        file: Annotated[
            str | None,
            typer.Option(
                "--input",
                help="Inputs or trigger bundles as JSON: an object or a list; - is stdin.",
            ),
        ] = None,
        version: Annotated[int | None, typer.Option(help="Which version; the draft.")] = None,
        cycles: Annotated[int, typer.Option(min=1, help="How often the trigger is asked.")] = 1,
        start: Annotated[
            str,
            typer.Option(
                help="Where a trigger that polls begins, if it never has: now, all, or a date."
            ),
        ] = "now",
        timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait.")] = 300.0,
        mock: Annotated[
            bool,
            typer.Option(
                "--mock", help="Only show the way of the data: samples answer, nothing is sent."
            ),
        ] = False,
        all_routes: Annotated[
            bool,
            typer.Option("--all-routes", help="With --mock: every route, whatever filters say."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Runs a scenario once, active or not, and waits for its end. Exit 1 unless it finished.

        With --mock it takes a blueprint's file and needs no database.
        """
        from junctor.app.cli.inputs import Usage, read_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.inputs import checked, outputs
        from junctor.app.oneshot import run_scenario
        from junctor.app.running import as_bundles, first_operations
        from junctor.app.scenarios import find_scenario
        from junctor.errors import Conflict
        from junctor.language import ids
        from junctor.ports.catalog import Run

        given = None if file is None else read_json(file, files=True)
        if all_routes and not mock:
            raise Usage("--all-routes is for --mock: a real run obeys its filters.")
        if mock:
            if not mock_once(scenario, as_bundles(given), all_routes=all_routes, as_json=as_json):
                raise typer.Exit(1)
            return

        async def main() -> tuple[Run, list[dict[str, Any]], bool, dict[str, Any] | None]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                bundles = await checked(core, found, version or found.draft, given, path="input")
                run_id, done = await run_scenario(
                    core,
                    found,
                    bundles,
                    actor=actor(),
                    version=version,
                    within=timeout,
                    options={"cycles": cycles, "start": start},
                )
                if done is None:
                    shown = ids.show("run", run_id)
                    raise Conflict(
                        f"{shown} has not ended in {timeout:g} s; `junctor run show {shown}` "
                        "says how far it is.",
                        run=shown,
                    )
                made, more = await first_operations(core, done, _MOST)
                return done, made, more, await outputs(core, done)

        done, made, more, gave = run_async(main())
        show_run(done, made, gave, more=more, as_json=as_json)
        if done.state != "finished":
            raise typer.Exit(1)

    settle.register(group)
    again.register(group)
    run_control.register(group)
    app.add_typer(group, name="run")


def mock_once(
    file: str, bundles: list[dict[str, Any]] | None, *, all_routes: bool, as_json: bool
) -> bool:
    """Shows a mock run of a blueprint's file; whether it came to its end."""
    from pathlib import Path

    from junctor.app.cli.inputs import read_bytes
    from junctor.app.cli.output import print_json
    from junctor.app.mock_show import mock_record, show_mock
    from junctor.app.offered import registry_of
    from junctor.errors import Misconfigured
    from junctor.language.blueprint import load
    from junctor.testing.mock import Note, mock_run

    if file != "-" and not Path(file).is_file():
        raise Misconfigured(f"There is no file {file}; a mock run takes a blueprint's file.")
    loaded = load(read_bytes(file))
    mocked = mock_run(loaded.scenario, registry_of().find, bundles=bundles, all_routes=all_routes)
    left_out = [each for each in loaded.problems if each.severity == "error"]
    mocked.notes[:0] = [Note(0, f"{each.path}: {each.message}") for each in left_out]
    if as_json:
        print_json(mock_record(mocked))
    else:
        show_mock(mocked)
    return mocked.ok


def show_run(
    run: Any,
    operations: list[dict[str, Any]],
    outputs: dict[str, Any] | None = None,
    why: Any = None,
    waits: list[dict[str, Any]] | None = None,
    *,
    more: bool = False,
    as_json: bool,
) -> None:
    """Prints a run with its operations, what it returned, why it stopped and what it waits for."""
    from datetime import datetime

    from junctor.app.cli.output import STYLES, ago, console, counted, line, print_json, size, span
    from junctor.app.cli.runs import run_record
    from junctor.language import ids

    if as_json:
        shown = {**run_record(run), "outputs": outputs, "waits": waits or []}
        shown["operations_list"] = operations
        shown["more_operations"] = more
        print_json(shown if why is None else {**shown, "stopped": asdict(why)})
        return
    from rich.text import Text

    out = console()
    out.print(
        Text.assemble(
            (ids.show("run", run.id), "bold"),
            " ",
            (run.state, STYLES.get(run.state, "")),
            f" · {run.name}" if run.name else "",
            f" · {run.trigger} of {ids.show('run', run.origin)}" if run.origin else "",
            " · edited" if run.edited else "",
            " · passed by others" if run.skipped else "",
            f" · version {run.version} · {ago(run.started_at)} · "
            f"{run.operations} operations · {span(run.started_at, run.ended_at)} · "
            f"{size(run.bytes)}",
        )
    )
    if run.error:
        out.print(Text(f"{run.error.get('type', '')}: {run.error.get('message', '')}", style="red"))
    for operation in operations:
        _show_operation(out, operation)
    if more:
        rest = f"These are the first {len(operations):,} of about {run.operations:,} operations"
        all_ = f"`junctor run show {ids.show('run', run.id)} --limit 0` shows all."
        out.print(Text(f"{rest}; {all_}", style="yellow"))
    if outputs is not None:
        out.print(Text("Returned " + line(outputs), style="bold"))
    for wait in waits or ():
        what = wait["question"] or f"a delivery to {wait['hook_name'] or '(deleted)'}"
        until = ago(datetime.fromisoformat(wait["until"]))
        out.print(Text(f"Module {wait['module']} waits until {until} for: {what}", style="cyan"))
        if wait["link"]:
            out.print(f"  {wait['link']}", markup=False, soft_wrap=True)
    for module, count in (run.dropped or {}).items():
        stopped = counted(count, "bundle")
        out.print(Text(f"Module {module}: its filter stopped {stopped}", style="dim"))
    if run.warnings:
        aside = counted(run.warnings, "bundle")
        out.print(Text(f"Set aside as runs of their own: {aside}", style="yellow"))
    if why is not None:
        again.show_stopped(out, why)


def _show_operation(out: Any, operation: dict[str, Any]) -> None:
    from rich.text import Text

    from junctor.app.cli.output import line

    place = ".".join(str(part) for part in operation["path"])
    spent = f" · {operation['ms']:.0f} ms" if operation.get("ms") is not None else ""
    again = f" · attempt {operation['attempt'] + 1}" if operation["attempt"] else ""
    if operation.get("handled"):
        again = " · by its error handler" + ("" if operation["bundles"] else ": dropped")
    style = {"failed": "red", "sent": "magenta", "waiting": "cyan"}.get(
        operation["status"], "green"
    )
    out.print(
        Text.assemble(
            ("● ", style),
            (f"{operation['module']} {operation['name']}", "bold"),
            (f" [{place}]{again}{spent}", "dim"),
        )
    )
    if operation.get("input") is not None:
        out.print(Text("  in  " + line(operation["input"]), style="dim"))
    for bundle in operation["bundles"]:
        out.print(Text("  out " + line(bundle)))
    if operation.get("error"):
        out.print(Text("  " + str(operation["error"].get("message", "")), style="red"))
    if operation["status"] == "sent":
        out.print(Text("  it was sent, and no answer is recorded", style="magenta"))
