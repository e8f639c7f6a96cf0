"""`junctor hooks`: our addresses that receive, and what they believe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Which = Annotated[str, typer.Argument(help="Its id or name, or its scenario's.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="List hooks, show one, change its settings and secrets.",
        cls=Listing,
    )

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists hooks and their addresses; never their secrets."""
        from junctor.app.cli.output import print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.hooks import all_hooks

        async def main() -> list[dict[str, Any]]:
            async with session() as (core, organization_id):
                found = await all_hooks(core, organization_id)
                return [await _record(core, hook) for hook in found]

        found = run_async(main())
        if as_json:
            print_json({"hooks": found})
            return
        print_table(
            "",
            ("hook", "name", "trigger", "address", "receives", "#refused"),
            (
                (
                    each["id"],
                    each["name"],
                    f"{each['connector']}:{each['kind']}",
                    each["url"],
                    "yes" if each["enabled"] else "no",
                    each["refused"],
                )
                for each in found
            ),
        )

    @group.command("show")
    def show(hook: Which, as_json: Json = False) -> None:
        """Shows a hook's address, its settings, and which secrets are set."""
        from junctor.app.cli.session import run_async, session
        from junctor.app.hooks import find_hook

        async def main() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            async with session() as (core, organization_id):
                found = await find_hook(core, organization_id, hook)
                return await _record(core, found), _fields(core, found)

        _say(*run_async(main()), as_json=as_json)

    @group.command("set")
    def set_(
        hook: Which,
        given: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                help="FIELD=VALUE; lists with commas, or as JSON; nothing after = clears it. "
                "Repeatable; others see it in `ps`.",
            ),
        ] = None,
        stdin: Annotated[
            bool, typer.Option("--stdin", help="Read the fields as a JSON object from stdin.")
        ] = False,
        name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
        enabled: Annotated[
            bool | None, typer.Option("--enable/--disable", help="Whether it receives.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Changes a hook's settings and secrets; a field that is not named stays as it is."""
        from junctor.app.cli.inputs import Usage, pairs, read_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.hooks import change_hook, definition_of, find_hook

        typed = pairs(given or [])
        read = read_json("-") if stdin else {}
        if not isinstance(read, dict):
            raise Usage("Standard input must hold a JSON object.")
        if not typed and not read and name is None and enabled is None:
            raise Usage(
                "Say what to change: --set FIELD=VALUE, --stdin, --name, --enable or --disable."
            )

        async def main() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            async with session() as (core, organization_id):
                found = await find_hook(core, organization_id, hook)
                definition = definition_of(core, found)
                form = definition.settings if definition is not None else None
                changed = await change_hook(
                    core,
                    found,
                    actor=actor(),
                    name=name,
                    enabled=enabled,
                    values={**read, **_read_typed(form, typed)},
                )
                return await _record(core, changed), _fields(core, changed)

        _say(*run_async(main()), as_json=as_json)

    @group.command("learn")
    def learn(
        hook: Which,
        stop: Annotated[bool, typer.Option("--stop", help="Learn no more.")] = False,
        as_json: Json = False,
    ) -> None:
        """Keeps the structure of the hook's next delivery; `show` tells it once it came."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.hooks import find_hook, set_learning

        async def main() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            async with session() as (core, organization_id):
                found = await find_hook(core, organization_id, hook)
                changed = await set_learning(core, found, not stop, actor=actor())
                return await _record(core, changed), _fields(core, changed)

        _say(*run_async(main()), as_json=as_json)

    from junctor.app.cli.app_hooks import add

    add(group)
    app.add_typer(group, name="hooks")


def _read_typed(form: type | None, typed: Mapping[str, str]) -> dict[str, Any]:
    """Values as typed on a command line: nothing clears, a list has commas or is JSON."""
    from typing import get_origin

    from junctor.app.cli.inputs import read_json
    from junctor.language import forms

    slots = forms.slots_of(form) if form is not None else ()
    lists = {
        key for slot in slots if get_origin(slot.hint) is list for key in (slot.key, slot.name)
    }
    out: dict[str, Any] = {}
    for key, text in typed.items():
        if not text:
            out[key] = None
        elif key in lists and not text.startswith("@"):
            rows = read_json(text) if text.startswith("[") else text.split(",")
            out[key] = [row.strip() if isinstance(row, str) else row for row in rows]
        else:
            out[key] = text
    return out


async def _record(core: Any, found: Any) -> dict[str, Any]:
    from junctor.app.hooks import secret_names
    from junctor.app.logs import redact
    from junctor.language import ids

    return {
        "id": ids.show("hok", found.id),
        "name": found.name,
        "connector": found.connector,
        "kind": found.kind,
        "url": core.registrations.url(found),
        "scenario": ids.show("scn", found.scenario_id) if found.scenario_id else None,
        "settings": redact(dict(found.settings)),
        "secrets": await secret_names(core, found),
        "registered": found.registration is not None,
        "registration_error": found.registration_error,
        "enabled": found.enabled,
        "refused": found.refused,
    }


def _fields(core: Any, found: Any) -> list[dict[str, Any]]:
    """What can be set, for people."""
    from junctor.app.hooks import definition_of
    from junctor.language import forms

    definition = definition_of(core, found)
    if definition is None or definition.settings is None:
        return []
    secrets = forms.secrets_of(definition.settings)
    return [
        {
            "key": slot.key,
            "name": slot.name,
            "secret": slot.key in secrets,
            "help": slot.field.help or slot.field.label,
        }
        for slot in forms.slots_of(definition.settings)
    ]


def _say(record: dict[str, Any], fields: list[dict[str, Any]], *, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json, print_table

    if as_json:
        print_json(record)
        return
    out = console()
    out.print(f"{record['name']} ({record['id']})", markup=False)
    out.print(record["url"], markup=False, soft_wrap=True)
    state = "Receives" if record["enabled"] else "Does not receive"
    out.print(f"{state}; {record['refused']} deliveries refused.", markup=False)
    if record["registration_error"]:
        out.print(record["registration_error"], style="yellow", markup=False)
    if not fields:
        out.print("It has no settings.")
        return
    rows = []
    for each in fields:
        if each["secret"]:
            value = "set" if each["name"] in record["secrets"] else "not set"
        else:
            value = record["settings"].get(each["name"], "")
            if isinstance(value, list):
                value = ", ".join(
                    f"{row.get('name')} ({row.get('type')})" if isinstance(row, dict) else str(row)
                    for row in value
                )
        rows.append((each["key"], value, each["help"]))
    print_table("", ("field", "value", "what it is"), rows)
