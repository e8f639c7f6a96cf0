"""`junctor approvals`: questions that runs wait for, and deciding them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List questions that runs wait for, or decide one.", cls=Listing)

    @group.command("list")
    def list_(
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
        as_json: Json = False,
    ) -> None:
        """Lists open questions with the links under which they are decided."""
        from junctor.app.approvals import open_waits
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.cli.waits import wait_record, waits_table

        async def main() -> list[dict[str, Any]]:
            async with session() as (core, organization_id):
                found = await open_waits(
                    core, organization_id, kind="approval", limit=limit, links=True
                )
                return [wait_record(each) for each in found]

        found = run_async(main())
        if as_json:
            print_json({"approvals": found})
            return
        waits_table(found)
        for each in found:
            choices = ", ".join(each["choices"])
            console().print(f"{each['id']}: {choices}", markup=False)
            console().print(f"  {each['link']}", markup=False, soft_wrap=True)

    @group.command("decide")
    def decide(
        approval: Annotated[str, typer.Argument(help="Its id, wai_…")],
        decision: Annotated[str, typer.Argument(help="One of its choices.")],
        comment: Annotated[str, typer.Option(help="Why.")] = "",
        by: Annotated[str, typer.Option("--by", help="Who decided; you, if not said.")] = "",
        as_json: Json = False,
    ) -> None:
        """Decides a question: the first decision counts, and the run goes on at once."""
        from junctor.app import approvals
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.language import ids

        async def main() -> tuple[str, str]:
            async with session() as (core, organization_id):
                asked = await approvals.find_approval(
                    core, organization_id, ids.read("wai", approval)
                )
                chosen = await approvals.decide(
                    core, asked, decision, comment=comment, by=by, actor=actor()
                )
                return ids.show("run", asked.run_id), chosen

        run, chosen = run_async(main())
        if as_json:
            print_json({"id": approval, "run": run, "decision": chosen})
            return
        console().print(f"Decided: {chosen}. {run} goes on.", markup=False)

    app.add_typer(group, name="approvals")
