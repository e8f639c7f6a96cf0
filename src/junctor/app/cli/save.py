"""`junctor scenarios save`: a changed blueprint becomes a scenario's draft."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["add"]


def add(group: typer.Typer) -> None:
    """Adds the command to those of `junctor scenarios`."""

    @group.command("save")
    def save(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        file: Annotated[str, typer.Argument(help="A blueprint's file; - is standard input.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Saves a blueprint as the scenario's new draft; what runs stays until it is activated.

        Modules keep what they are bound to, by their numbers.
        """
        from junctor.app.cli.inputs import read_bytes
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import Draft, find_scenario, save_draft
        from junctor.language import ids

        blueprint = read_bytes(file)

        async def main() -> Draft:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await save_draft(
                    core,
                    organization_id,
                    found,
                    actor=actor(),
                    blueprint=blueprint,
                    revision=found.revision,
                )

        draft = run_async(main())
        saved = draft.scenario
        shown = ids.show("scn", saved.id)
        if as_json:
            print_json(
                {
                    "id": shown,
                    "name": saved.name,
                    "draft": saved.draft,
                    "published": saved.published,
                    "missing": draft.missing,
                }
            )
            return
        out = console()
        out.print(f"Version {saved.draft} of '{saved.name}' is the draft.", markup=False)
        for problem in draft.problems:
            if problem.severity == "info":  # `junctor check` tells those
                continue
            out.print(f"{problem.path}: {problem.message}", markup=False, style="yellow")
        for line in draft.missing:
            out.print(line, markup=False, style="yellow")
        if saved.published is not None:
            out.print(f"`junctor versions compare {shown}` says what changed,", markup=False)
            out.print(f"`junctor backtest {shown}` what would go another way.", markup=False)
        out.print(f"`junctor activate {shown}` lets it run.", markup=False)
