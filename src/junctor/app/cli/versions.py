"""`junctor versions`: a scenario's history, what changed in it, and back to a version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from junctor.language.versions import Change, Comparison, Placed

__all__ = ["register", "show_comparison"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
WIDEST = 120
"""Characters of a value that are shown."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List, compare and restore a scenario's versions.")

    @group.command("list")
    def versions(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
        as_json: Json = False,
    ) -> None:
        """Lists versions, newest first, and says which one is the draft and which one runs."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import find_scenario
        from junctor.ports.catalog import Scenario, VersionInfo

        async def main() -> tuple[Scenario, list[VersionInfo]]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                items: list[VersionInfo] = []
                cursor: str | None = None
                while len(items) < limit:
                    page = await core.catalog.versions(
                        organization_id,
                        found.id,
                        cursor=cursor,
                        limit=min(200, limit - len(items)),
                    )
                    items += page.items
                    cursor = page.cursor
                    if cursor is None:
                        break
                return found, items

        found, items = run_async(main())

        def marks(version: int) -> list[str]:
            named = (("draft", found.draft), ("published", found.published))
            return [name for name, number in named if number == version]

        if as_json:
            print_json(
                {
                    "versions": [
                        {
                            "version": each.version,
                            "is": marks(each.version),
                            "created_at": each.created_at,
                            "created_by": each.created_by,
                        }
                        for each in items
                    ]
                }
            )
            return
        print_table(
            "",
            ("#version", "", "saved", "by"),
            (
                (
                    each.version,
                    ", ".join(marks(each.version)),
                    ago(each.created_at),
                    each.created_by,
                )
                for each in items
            ),
        )

    @group.command("compare")
    def compare(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        old: Annotated[int | None, typer.Argument(help="A version; the published one.")] = None,
        new: Annotated[int | None, typer.Argument(help="Another; the draft.")] = None,
        as_json: Json = False,
    ) -> None:
        """Says what was changed from one version to another, module by module."""
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import find_scenario
        from junctor.app.versions import as_record, compared

        async def main() -> tuple[int, int, Comparison]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await compared(core, found, old, new)

        before, after, found = run_async(main())
        if as_json:
            print_json(as_record(before, after, found))
        else:
            show_comparison(before, after, found)

    @group.command("restore")
    def restore(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        version: Annotated[int, typer.Argument(help="The version to take up again.")],
        publish: Annotated[
            bool, typer.Option("--publish", help="New runs take it, too; else it is the draft.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Makes a copy of a version the draft. Exit 1 if something it was bound to is gone."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import Draft, find_scenario
        from junctor.app.versions import restore as restored

        async def main() -> Draft:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await restored(core, found, version, actor=actor(), publish=publish)

        draft = run_async(main())
        made = draft.scenario
        runs = made.published == made.draft
        if as_json:
            print_json(
                {
                    "version": made.draft,
                    "of": version,
                    "published": runs,
                    "missing": draft.missing,
                }
            )
        else:
            out = console()
            says = "is what runs now" if runs else "is the draft; `junctor activate` lets it run"
            out.print(
                f"Version {made.draft} of '{made.name}', a copy of version {version}, {says}.",
                markup=False,
            )
            for line in draft.missing:
                out.print(line, style="yellow", markup=False)
        if draft.missing:
            raise typer.Exit(1)

    app.add_typer(group, name="versions")


def show_comparison(old: int, new: int, found: Comparison) -> None:
    """Prints a comparison for people: + came, - went, > moved, ~ changed."""
    from junctor.app.cli.output import console

    out = console()

    def say(text: str, style: str = "") -> None:
        out.print(text, style=style, markup=False, soft_wrap=True)

    if found.same:
        say(f"Versions {old} and {new} do the same.")
        return
    say(f"From version {old} to version {new}:", "bold")
    for each in found.added:
        say(f"+ module {_name(each)}, {_where(each)}", "green")
    for each in found.removed:
        say(f"- module {_name(each)}, {_where(each)}", "red")
    for was, now in found.moved:
        say(f"> module {_name(now)}: was {_where(was)}, is {_where(now)}", "cyan")
    for module in found.changed:
        say(f"~ module {_name(module)}", "yellow")
        for change in module.changes:
            say(f"    {_change(change)}")
    for title, changes in (("scenario", found.scenario), ("bindings", found.bindings)):
        if changes:
            say(f"~ {title}", "yellow")
        for change in changes:
            say(f"    {_change(change)}")


def _name(module: Any) -> str:
    label = f" '{module.label}'" if module.label else ""
    return f"{module.id} ({module.module}){label}"


def _where(placed: Placed) -> str:
    after = f"after module {placed.after}" if placed.after is not None else "first"
    return f"{after} in {placed.place}"


def _change(change: Change) -> str:
    if change.kind == "added":
        return f"{change.path}: {_value(change.new)} (new)"
    if change.kind == "removed":
        return f"{change.path}: {_value(change.old)} (gone)"
    return f"{change.path}: {_value(change.old)} → {_value(change.new)}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
