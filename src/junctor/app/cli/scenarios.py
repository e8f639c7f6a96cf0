"""`junctor scenarios`: what there is, and what its modules are bound to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from junctor.app.cli import save, schedule
from junctor.app.cli.groups import Listed

if TYPE_CHECKING:
    from junctor.ports.catalog import Scenario

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        cls=Listed, help="List scenarios, or change what their modules are bound to."
    )

    @group.callback(invoke_without_command=True)
    def scenarios(
        context: typer.Context,
        active: Annotated[bool, typer.Option("--active", help="Only active ones.")] = False,
        as_json: Json = False,
    ) -> None:
        """Lists scenarios, newest first; or changes what their modules are bound to."""
        if context.invoked_subcommand is None:
            _list(active=active, as_json=as_json)

    @group.command("bind")
    def bind(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        mapped: Annotated[
            list[str] | None,
            typer.Option(
                "--map",
                help="WHAT=NAME: a label, type, module id, module or connector, and the "
                "connection, data store, structure, scenario or hook it gets; new makes a "
                "store or structure, nothing after = takes it away. Repeatable.",
            ),
        ] = None,
        connection: Annotated[
            list[str] | None,
            typer.Option(help="MODULE=NAME: module id, module name or connector. Repeatable."),
        ] = None,
        create: Annotated[
            bool, typer.Option("--create", help="Make missing data stores and structures.")
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", "-y", help="Take what is suggested; ask nothing.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Binds a scenario's modules to other connections, hooks, stores, scenarios: a new draft.

        Without options it asks at a terminal, and elsewhere shows what they are bound to.
        """
        from junctor.app.cli.mapping import answers, as_record, asks, given, show_bound
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import Draft, find_scenario, requirements_of, save_draft
        from junctor.language import ids

        chosen = given(mapped, connection)
        asking = not chosen and asks(yes=yes or create, as_json=as_json, stdin_taken=False)
        writes = bool(chosen) or create or yes or asking

        async def main() -> Draft:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                said = chosen
                if asking or not writes:
                    choice = await requirements_of(core, organization_id, found)
                    if not writes:
                        missing = [want.line(found.name) for want in choice.missing]
                        return Draft(found, missing, wants=choice.wants)
                    said = await answers(core, organization_id, choice.wants)
                return await save_draft(
                    core,
                    organization_id,
                    found,
                    actor=actor(),
                    mapped=said,
                    create=create,
                    revision=found.revision,
                )

        draft = run_async(main())
        shown = ids.show("scn", draft.scenario.id)
        if as_json:
            print_json(
                {
                    "id": shown,
                    "name": draft.scenario.name,
                    "draft": draft.scenario.draft,
                    "published": draft.scenario.published,
                    "missing": draft.missing,
                    "requirements": [as_record(want) for want in draft.wants],
                }
            )
            return
        out = console()
        out.print(f"'{draft.scenario.name}', version {draft.scenario.draft}:", markup=False)
        show_bound(draft.wants)
        if not draft.wants:
            out.print("  Its modules need nothing.", style="dim")
        for line in draft.missing:
            out.print(line, markup=False, style="yellow")
        if draft.scenario.published != draft.scenario.draft and not draft.missing:
            out.print(f"Let it run so with `junctor activate {shown}`.", style="dim")

    @group.command("set")
    def set_(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        name: Annotated[str | None, typer.Option(help="Another name.")] = None,
        detail: Annotated[
            str | None, typer.Option(help="What history keeps: full, first or errors.")
        ] = None,
        retention: Annotated[
            str | None, typer.Option(help="How long: short (7 days), standard (30) or long (365).")
        ] = None,
        confidential: Annotated[
            bool | None,
            typer.Option("--confidential/--open", help="Whether ended runs keep counts only."),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Changes a scenario's name, or what history keeps of its runs and how long."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import change_scenario
        from junctor.language import ids

        async def main() -> Scenario:
            async with session() as (core, organization_id):
                return await change_scenario(
                    core,
                    organization_id,
                    scenario,
                    actor=actor(),
                    name=name,
                    detail=detail,
                    retention=retention,
                    confidential=confidential,
                )

        found = run_async(main())
        record = {
            "id": ids.show("scn", found.id),
            "name": found.name,
            "detail": found.detail,
            "retention": found.retention,
            "confidential": found.confidential,
        }
        if as_json:
            print_json(record)
            return
        kept = "counts only" if found.confidential else f"detail {found.detail}"
        console().print(
            f"'{found.name}' keeps history of class {found.retention}, {kept}", markup=False
        )

    @group.command("backfill")
    def backfill(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        since: Annotated[
            str | None,
            typer.Option(help="From when on, as 2026-11-21 or 2026-11-21T08:30Z; a day ago."),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Fetches what a scenario's trigger missed, from its vendor. Safe to repeat."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.repair import backfill as fetch
        from junctor.app.scenarios import find_scenario
        from junctor.language import ids
        from junctor.runtime.backfill import Filled

        begin = _instant(since) if since else None

        async def main() -> list[Filled]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await fetch(core, found, actor=actor(), since=begin)

        filled = run_async(main())
        if as_json:
            rows = [
                {
                    "hook": ids.show("hok", each.hook_id),
                    "since": each.since,
                    "listed": each.listed,
                    "stored": each.stored,
                    "known": each.known,
                    "unidentified": each.unidentified,
                }
                for each in filled
            ]
            print_json({"hooks": rows})
            return
        for each in filled:
            console().print(
                f"Since {each.since:%Y-%m-%d %H:%M} UTC: {each.listed} events, {each.stored} new, "
                f"{each.known} known"
                + (f", {each.unidentified} left alone" if each.unidentified else "")
            )

    save.add(group)
    schedule.add(group)
    app.add_typer(group, name="scenarios")


def _instant(text: str) -> datetime:
    from datetime import UTC

    from junctor.app.cli.inputs import Usage

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage(
            f"'{text}' is no date; write one such as 2026-11-21 or 2026-11-21T08:30Z."
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _how(scenario: Scenario) -> str:
    if scenario.paused_at is not None:
        return "paused" if scenario.active else "no, paused"
    if scenario.draining_at is not None:
        return "draining"
    return "yes" if scenario.active else "no"


def _list(*, active: bool, as_json: bool) -> None:
    from junctor.app.cli.output import ago, print_json, print_table
    from junctor.app.cli.session import run_async, session
    from junctor.app.scenarios import all_scenarios
    from junctor.language import ids

    async def main() -> list[Scenario]:
        async with session() as (core, organization_id):
            found = await all_scenarios(core, organization_id)
            return [each for each in found if each.active or not active]

    found = run_async(main())
    if as_json:
        rows = [
            {
                "id": ids.show("scn", each.id),
                "name": each.name,
                "active": each.active,
                "draft": each.draft,
                "published": each.published,
                "detail": each.detail,
                "retention": each.retention,
                "confidential": each.confidential,
                "paused_at": each.paused_at,
                "draining_at": each.draining_at,
                "updated_at": each.updated_at,
                "updated_by": each.updated_by,
            }
            for each in found
        ]
        print_json({"scenarios": rows})
        return
    print_table(
        "",
        ("scenario", "name", "active", "#draft", "#published", "changed", "by"),
        (
            (
                ids.show("scn", each.id),
                each.name,
                _how(each),
                each.draft,
                each.published or "-",
                ago(each.updated_at),
                each.updated_by,
            )
            for each in found
        ),
    )
