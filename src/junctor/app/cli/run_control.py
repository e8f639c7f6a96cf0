"""`junctor run stop` and `skip`: what becomes of one run."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]

RunId = Annotated[str, typer.Argument(help="Its id.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(group: typer.Typer) -> None:
    """Adds the commands to the group `junctor run`."""

    @group.command("stop")
    def stop(
        run: RunId,
        resumable: Annotated[
            bool,
            typer.Option("--resumable", help="Leave it incomplete, to be retried."),
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Stops a run: one that waits at once, one under way before its next operation."""
        from junctor.app import control
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.runs import run_record
        from junctor.app.cli.session import actor, run_async, session
        from junctor.language import ids
        from junctor.ports.catalog import Run

        async def main() -> Run | None:
            async with session() as (core, organization_id):
                return await control.stop(
                    core, organization_id, ids.read("run", run), actor=actor(), keep=resumable
                )

        found = run_async(main())
        at_once = control.at_once(found)
        if as_json:
            shown = run_record(found) if found is not None else None
            print_json({"id": run, "at_once": at_once, "run": shown})
        elif at_once and found is not None:
            console().print(f"{run} is {found.state}.", markup=False)
        else:
            console().print(f"{run} stops before its next operation.", markup=False)

    @group.command("skip")
    def skip(run: RunId, as_json: Json = False) -> None:
        """Lets what stands behind a stopped run go on without it.

        The run stays as it is; retried later, it is out of its order.
        """
        from junctor.app import control
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.runs import run_record
        from junctor.app.cli.session import actor, run_async, session
        from junctor.language import ids
        from junctor.ports.catalog import Run

        async def main() -> Run:
            async with session() as (core, organization_id):
                return await control.skip(
                    core, organization_id, ids.read("run", run), actor=actor()
                )

        found = run_async(main())
        if as_json:
            print_json(run_record(found))
            return
        console().print(
            f"What stood behind {run} goes on. It is {found.state} still, and retried it is out of "
            "its order.",
            markup=False,
        )
