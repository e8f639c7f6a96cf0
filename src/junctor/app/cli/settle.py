"""`junctor run settle`: a word about what an uncertain run sent.

A word counts for the attempt that whoever says it has seen, and for no other: two people may say it
at once, or one twice. So without ``--attempt`` a person at a terminal is shown what was sent and
asked; a script's word counts only while no other attempt of the run ever was in doubt.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

__all__ = ["register", "show_settled"]


def register(group: typer.Typer) -> None:
    """Adds the command to those of `junctor run`."""

    @group.command("settle")
    def settle(
        run: Annotated[str, typer.Argument(help="Its id.")],
        probe: Annotated[
            bool, typer.Option("--probe", help="Ask the vendor whether it happened (the default).")
        ] = False,
        done: Annotated[bool, typer.Option("--done", help="It happened: go on after it.")] = False,
        not_done: Annotated[
            bool, typer.Option("--not-done", help="It did not happen: do it again.")
        ] = False,
        bundle: Annotated[
            str | None,
            typer.Option(help="With --done: what it gave, as a JSON object; @FILE reads one."),
        ] = None,
        attempt: Annotated[
            str | None,
            typer.Option(
                help="Which attempt, as `junctor run show` has it; refused if another is in doubt."
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Settles an uncertain run, so that it goes on. Exit 1 if it stays uncertain.

        Without --attempt, --done and --not-done show what was sent and ask; where nobody can be
        asked they need it once another attempt of the run was in doubt before.
        """
        from junctor.app.cli.inputs import Usage, read_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.settling import Found
        from junctor.app.settling import settle as settled
        from junctor.language import ids
        from junctor.ports.catalog import Run

        if probe + done + not_done > 1:
            raise Usage("Choose one of --probe, --done and --not-done.")
        given = read_json(bundle) if bundle is not None else None
        if bundle is not None and (not done or not isinstance(given, dict)):
            raise Usage("--bundle is a JSON object, and goes with --done.")
        outcome: Any = "done" if done else "not-done" if not_done else "probe"
        run_id = ids.read("run", run)
        if attempt is None and outcome != "probe":
            attempt = _meant(run_id, outcome, bundle, asks=not as_json and sys.stdin.isatty())

        async def main() -> tuple[Run, Found]:
            async with session() as (core, organization_id):
                return await settled(
                    core,
                    organization_id,
                    run_id,
                    outcome,
                    actor=actor(),
                    bundle=given,
                    attempt_id=attempt,
                )

        found_run, found = run_async(main())
        show_settled(found_run, found, as_json=as_json)
        if found.verdict == "unknown":
            raise typer.Exit(1)


def _meant(run_id: Any, outcome: str, bundle: str | None, *, asks: bool) -> str | None:
    """The attempt that a word without one is about; ``None`` if nothing is in doubt.

    `Usage` with the whole command if nobody can be asked which of several is meant.
    """
    import shlex

    from junctor.app.cli.again import show_sent
    from junctor.app.cli.inputs import Usage
    from junctor.app.cli.output import console
    from junctor.app.cli.session import run_async, session
    from junctor.app.stopped import Stopped, stopped

    async def read() -> Stopped:
        async with session() as (core, organization_id):
            return await stopped(core, organization_id, run_id)

    why = run_async(read())
    if why.attempt_id is None:
        return None  # what can't be settled is said there
    if asks:
        out = console(stderr=True)
        show_sent(out, why)
        if why.doubted:
            times = "once before" if why.doubted == 1 else f"{why.doubted} times before"
            out.print(f"This run was in doubt {times}: this is a later attempt.", style="yellow")
        question = {
            "done": "Did this happen? The run goes on after it",
            "not-done": "Did this not happen? It is sent again",
        }
        typer.confirm(question[outcome], abort=True, err=True)
    elif why.doubted:
        more = ["--bundle", bundle] if bundle is not None else []
        words = ["junctor", "run", "settle", why.run, "--attempt", why.attempt_id]
        raise Usage(
            f"Another attempt of {why.run} was in doubt before, and this word may have been meant "
            f"for that one. Look at it (`junctor run show {why.run}`), and say which one is meant: "
            f"{shlex.join([*words, f'--{outcome}', *more])}",
            run=why.run,
            attempt_id=why.attempt_id,
        )
    return why.attempt_id


def show_settled(run: Any, found: Any, *, as_json: bool) -> None:
    """Prints how an uncertain run was settled."""
    from junctor.app.cli.output import console, print_json
    from junctor.app.cli.runs import run_record

    if as_json:
        print_json({"found": found.verdict, "says": found.says, "run": run_record(run)})
        return
    then = {
        "done": "It happened; the run goes on after it.",
        "not-done": "It did not happen; the run does it again.",
        "unknown": "It is still unknown: look at the vendor, and say --done or --not-done.",
    }
    console().print(f"{then[found.verdict]} ({found.says})", markup=False)
