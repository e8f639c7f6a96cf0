"""`junctor waits`: what runs wait for, since when, and until when."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register", "wait_record", "waits_table"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List what runs wait for.", cls=Listing)

    @group.command("list")
    def list_(
        kind: Annotated[str | None, typer.Option(help="Only these: delivery or approval.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists what runs wait for: a delivery to a hook, or somebody's decision."""
        from junctor.app.approvals import open_waits
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import run_async, session

        if kind not in {None, "delivery", "approval"}:
            raise Usage(f"'{kind}' is no kind of wait: delivery or approval.")

        async def main() -> list[dict[str, Any]]:
            async with session() as (core, organization_id):
                found = await open_waits(core, organization_id, kind=kind, limit=limit)
                return [wait_record(each) for each in found]

        found = run_async(main())
        if as_json:
            print_json({"waits": found})
        else:
            waits_table(found)

    app.add_typer(group, name="waits")


def wait_record(wait: Any) -> dict[str, Any]:
    """A wait as JSON, the same as the API's."""
    import msgspec

    record: dict[str, Any] = msgspec.to_builtins(wait)
    return record


def waits_table(waits: list[dict[str, Any]]) -> None:
    """Waits for people."""
    from datetime import datetime

    from junctor.app.cli.output import ago, print_table

    print_table(
        "",
        ("wait", "run", "scenario", "for", "since", "until"),
        (
            (
                each["id"],
                each["run"],
                each["scenario_name"] or "(deleted)",
                each["question"] or f"a delivery to {each['hook_name'] or '(deleted)'}",
                ago(datetime.fromisoformat(each["opened_at"])),
                ago(datetime.fromisoformat(each["until"])),
            )
            for each in waits
        ),
    )
