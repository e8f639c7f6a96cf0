"""`junctor hooks app`: the one address of an app at a vendor, and the scenarios it feeds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["add"]


def add(group: typer.Typer) -> None:
    """Adds the command to `junctor hooks`."""

    @group.command("app")
    def app_(
        connection: Annotated[
            str | None, typer.Argument(help="A connection by the app: its id or name.")
        ] = None,
        given: Annotated[
            list[str] | None,
            typer.Option("--set", help="FIELD=VALUE; nothing after = clears it. Repeatable."),
        ] = None,
        enabled: Annotated[
            bool | None, typer.Option("--enable/--disable", help="Whether it receives.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows the address to enter in the settings of an app at its vendor, and which scenarios
        it feeds; makes it if there is none yet. Without a connection: those of all apps.
        """
        from junctor.app import app_hooks
        from junctor.app.cli.inputs import Usage, pairs
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import find_connection

        values = {key: text or None for key, text in pairs(given or []).items()}
        if connection is None and (values or enabled is not None):
            raise Usage("Say whose app is to be changed: name a connection by it.")

        async def main() -> list[dict[str, Any]]:
            async with session() as (core, organization_id):
                if connection is None:
                    listed = await core.catalog.app_hooks(organization_id)
                    return [await _record(core, each) for each in listed]
                account = await find_connection(core, organization_id, connection)
                found = await app_hooks.ensure(core, account, actor=actor())
                if values or enabled is not None:
                    found = await app_hooks.change(
                        core, found, actor=actor(), enabled=enabled, values=values
                    )
                return [await _record(core, found)]

        records = run_async(main())
        if as_json:
            print_json(records[0] if connection is not None else {"app_hooks": records})
            return
        _say(records)


async def _record(core: Any, found: Any) -> dict[str, Any]:
    from junctor.app import app_hooks
    from junctor.app.logs import redact
    from junctor.language import ids

    return {
        "id": ids.show("app", found.id),
        "connector": found.connector,
        "app": found.app,
        "url": app_hooks.url(core, found),
        "help": app_hooks.definition_of(core, found.connector).help,
        "settings": redact(dict(found.settings)),
        "enabled": found.enabled,
        "delivered": found.delivered,
        "unwanted": found.unwanted,
        "refused": found.refused,
        "refused_reason": found.refused_reason,
        "feeds": [
            {
                "scenario": ids.show("scn", feed.scenario_id),
                "name": feed.scenario,
                "trigger": feed.trigger,
                "connection": feed.connection,
                "account": feed.account,
                "fed": feed.fed,
                "why_not": feed.why_not,
            }
            for feed in await app_hooks.feeds(core, found)
        ],
    }


def _say(records: list[dict[str, Any]]) -> None:
    from junctor.app.cli.output import console, print_table

    out = console()
    if not records:
        out.print("No app has an address yet: name a connection by it.")
    for record in records:
        out.print(f"{record['connector']} app {record['app']} ({record['id']})", markup=False)
        out.print(record["url"], markup=False, soft_wrap=True)
        out.print(record["help"], markup=False)
        state = "Receives" if record["enabled"] else "Does not receive"
        out.print(
            f"{state}; {record['delivered']} handed on, {record['unwanted']} unwanted, "
            f"{record['refused']} refused.",
            markup=False,
        )
        if record["refused_reason"]:
            out.print(f"The last refusal: {record['refused_reason']}", markup=False)
        if not record["feeds"]:
            out.print("It feeds no scenario yet: bind a trigger to a connection by the app.")
            continue
        print_table(
            "",
            ("scenario", "trigger", "connection", "account", "fed"),
            (
                (
                    feed["name"],
                    feed["trigger"],
                    feed["connection"],
                    feed["account"],
                    "yes" if feed["fed"] else f"no: {feed['why_not']}",
                )
                for feed in record["feeds"]
            ),
        )
