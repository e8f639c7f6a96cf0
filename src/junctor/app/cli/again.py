"""`junctor run retry`, `discard` and `replay`: runs done again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["read_version", "register", "show_changes", "show_sent", "show_stopped"]

_VERSION = "On which version: a number, newest (the one that runs) or draft."


def register(group: typer.Typer) -> None:
    """Adds the commands to those of `junctor run`."""

    @group.command("retry")
    def retry(
        run: Annotated[str, typer.Argument(help="Its id.")],
        edit: Annotated[
            str | None,
            typer.Option(
                help="Bundles in place of recorded ones, {module: bundle}: JSON, a file or -."
            ),
        ] = None,
        put: Annotated[
            list[str] | None,
            typer.Option("--set", help="A value in a bundle: MODULE.path=value. Repeatable."),
        ] = None,
        version: Annotated[str | None, typer.Option(help=_VERSION)] = None,
        start: Annotated[
            int | None,
            typer.Option("--from", help="The module from which on; the one that failed."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """An incomplete run goes on: what was done is not done again.

        Bundles that modules gave on the way to the failure can be edited first. With --version or
        --from a new run takes its place.
        """
        from junctor.app.again import retry as retried
        from junctor.app.cli.inputs import Usage, read_json, typed
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.edits import edits_of, read_set
        from junctor.language import ids
        from junctor.ports.catalog import Run

        edits = []
        if edit is not None:
            given = read_json(edit, files=True)
            if not isinstance(given, dict):
                raise Usage("--edit is a JSON object: {module: bundle}.")
            edits = typed(lambda: edits_of(given))
        edits += typed(lambda: [read_set(each) for each in put or ()])

        async def main() -> Run:
            async with session() as (core, organization_id):
                return await retried(
                    core,
                    organization_id,
                    ids.read("run", run),
                    actor=actor(),
                    edits=edits,
                    version=read_version(version),
                    start=start,
                )

        _say(run_async(main()), "It goes on", as_json=as_json)

    @group.command("discard")
    def discard(
        run: Annotated[str, typer.Argument(help="Its id.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Gives a stopped run up; what stood behind it goes on."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.running import resolve
        from junctor.language import ids
        from junctor.ports.catalog import Run

        async def main() -> Run:
            async with session() as (core, organization_id):
                return await resolve(
                    core, organization_id, ids.read("run", run), actor=actor(), verb="discard"
                )

        _say(run_async(main()), "It is given up", as_json=as_json)

    @group.command("replay")
    def replay(
        run: Annotated[str, typer.Argument(help="Its id.")],
        start: Annotated[
            int | None,
            typer.Option("--from", help="The module from which on; all but the trigger."),
        ] = None,
        version: Annotated[str | None, typer.Option(help=_VERSION)] = None,
        same: Annotated[
            bool, typer.Option("--same", help="With the run's own time and random numbers.")
        ] = False,
        dry: Annotated[
            bool, typer.Option("--dry", help="Send nothing; show what would go another way.")
        ] = False,
        compare: Annotated[
            bool, typer.Option("--compare", help="Wait for its end; show what went another way.")
        ] = False,
        timeout: Annotated[
            float, typer.Option(min=0.1, help="With --compare: seconds to wait.")
        ] = 300.0,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Makes any run once more, for real: what it sends is sent again. Exit 1 if it goes another
        way (--dry, --compare).
        """
        from junctor.app.again import replay as replayed
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.running import wait_for_run
        from junctor.app.telling import Compared, compare_run, compare_runs
        from junctor.errors import Conflict
        from junctor.language import ids
        from junctor.ports.catalog import Run

        async def main() -> tuple[Run | None, Compared | None]:
            async with session() as (core, organization_id):
                run_id, wanted = ids.read("run", run), read_version(version)
                if dry:
                    return None, await compare_run(
                        core, organization_id, run_id, version=wanted, start=start
                    )
                made = await replayed(
                    core, organization_id, run_id, actor=actor(), version=wanted, start=start,
                    same=same,
                )  # fmt: skip
                if not compare:
                    return made, None
                done = await wait_for_run(core, organization_id, made.id, within=timeout)
                if done is None:
                    shown = ids.show("run", made.id)
                    raise Conflict(f"{shown} has not ended in {timeout:g} s.", run=shown)
                return done, await compare_runs(core, organization_id, run_id, made.id)

        made, compared = run_async(main())
        if compared is None:
            _say(made, "It is done again as", as_json=as_json)
            return
        show_changes(compared, made, as_json=as_json)
        if compared.changes:
            raise typer.Exit(1)


def read_version(text: str | None) -> Any:
    """A version as typed."""
    from junctor.app.cli.inputs import Usage

    if text is None or text in {"newest", "draft"}:
        return text
    if not (text.isascii() and text.isdigit()):
        raise Usage(f"'{text}' is no version: give its number, newest or draft.")
    return int(text)


def _say(run: Any, what: str, *, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json
    from junctor.app.cli.runs import run_record
    from junctor.language import ids

    if as_json:
        print_json(run_record(run))
    else:
        shown = ids.show("run", run.id)
        console().print(f"{what}: {shown} ({run.state}, version {run.version}).", markup=False)


def show_changes(compared: Any, run: Any = None, *, as_json: bool) -> None:
    """Prints how a run goes another way."""
    import msgspec

    from junctor.app.cli.output import console, line, print_json
    from junctor.app.cli.runs import run_record
    from junctor.app.views import compared_view

    view = compared_view(compared)
    if as_json:
        made = None if run is None else run_record(run)
        print_json({**msgspec.to_builtins(view), "replay": made})
        return
    out = console()
    if run is not None:
        _say(run, "It was done again as", as_json=False)
    if view.problem:
        out.print(f"{view.run}: {view.problem}", markup=False, style="yellow")
    elif not view.changes:
        out.print(f"{view.run}: nothing goes another way.", markup=False)
    else:
        out.print(f"{view.run} (version {view.version})", markup=False, style="bold")
    for change in view.changes:
        place = "" if change.module is None else f" {change.module}"
        if change.path:
            place += f" [{'.'.join(map(str, change.path))}]"
        out.print(f"  {change.kind.replace('_', ' ')}{place}", markup=False, style="bold")
        if change.kind != "added":
            out.print(f"    - {line(change.before)}", markup=False, style="red")
        if change.kind != "removed":
            out.print(f"    + {line(change.after)}", markup=False, style="green")


def show_sent(out: Any, why: Any) -> None:
    """Prints where a run stopped, and what it sent or would have."""
    from junctor.app.cli.output import ago, line

    out.print(f"Stopped at module {why.module} {why.name}", markup=False, style="bold")
    if why.input is not None:
        out.print(f"  in      {line(why.input)}", markup=False, style="dim")
    if why.request is not None:
        verb = "sent" if why.sent_at is not None else "request"
        at = f"  ({ago(why.sent_at)})" if why.sent_at is not None else ""
        out.print(f"  {verb:7} {line(why.request)}{at}", markup=False, style="magenta")


def show_stopped(out: Any, why: Any) -> None:
    """Prints why a run stopped, what it sent, and what can be done about it."""
    from junctor.app.cli.output import ago, line

    show_sent(out, why)
    for each in why.bundles:
        mark = " (edited)" if each["edited"] else ""
        out.print(
            f"  bundle  {each['module']} {each['name']}{mark} {line(each['bundle'])}",
            markup=False,
            style="dim",
        )
    if why.again_at is not None:
        out.print(f"Tried again by itself at {ago(why.again_at)}", markup=False)
    if why.state == "uncertain":
        probe = " --probe," if why.probe else ""
        at = f" --attempt {why.attempt_id}" if why.attempt_id is not None else ""
        out.print(
            f"Go on: junctor run settle {why.run}{at}{probe} --done or --not-done",
            markup=False,
            soft_wrap=True,
        )
    else:
        out.print(f"Go on: junctor run retry {why.run} [--set MODULE.path=value]", markup=False)
