"""`junctor connections`: accounts at services."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["ask_form", "register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    from junctor.app.cli import connection_care

    group = typer.Typer(
        help="Add, authorise, test, show, rotate, remind of, list or remove connections.",
        cls=Listing,
    )

    @group.command("list")
    def list_(
        connector: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
        as_json: Json = False,
    ) -> None:
        """Lists connections; never their secrets."""
        from datetime import UTC, datetime

        from junctor.app.care import key_of, states_of
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.logs import redact
        from junctor.language import ids

        async def main() -> tuple[list[Any], dict[Any, Any]]:
            async with session() as (core, organization_id):
                found: list[Any] = []
                cursor: str | None = None
                while True:
                    page = await core.catalog.connections(
                        organization_id, connector=connector, cursor=cursor, limit=200
                    )
                    found.extend(page.items)
                    cursor = page.cursor
                    if cursor is None:
                        break
                ids_ = [each.id for each in found]
                return found, await states_of(core, organization_id, ids_)

        found, states = run_async(main())
        broken = {
            id_: redact(state.broken_reason or "connect it anew")
            for id_, state in states.items()
            if state.broken_at is not None
        }
        now = datetime.now(UTC)
        keys = {id_: key_of(state, now) for id_, state in states.items()}
        old = {id_: f"key {key.age_days} days old" for id_, key in keys.items() if key.due}
        if as_json:
            print_json(
                {
                    "connections": [
                        {
                            **_record(each),
                            "reconnect": broken.get(each.id),
                            "key_due": each.id in old,
                        }
                        for each in found
                    ]
                }
            )
            return
        print_table(
            "",
            ("connection", "name", "connector", "address", "tested", "result"),
            (
                (
                    ids.show("con", each.id),
                    each.name,
                    each.connector,
                    each.base_url,
                    ago(each.tested_at) or "never",
                    broken.get(each.id)
                    or each.test_error
                    or old.get(each.id)
                    or ("well" if each.tested_at else ""),
                )
                for each in found
            ),
        )

    @group.command("add")
    def add(
        connector: Annotated[str, typer.Argument(help="Of which connector.")],
        name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
        kind: Annotated[str | None, typer.Option(help="Which kind, if it has several.")] = None,
        base_url: Annotated[str | None, typer.Option(help="Another address than usual.")] = None,
        given: Annotated[
            list[str] | None,
            typer.Option("--set", help="FIELD=VALUE. Repeatable; others see it in `ps`."),
        ] = None,
        stdin: Annotated[
            bool, typer.Option("--stdin", help="Read the fields as a JSON object from stdin.")
        ] = False,
        test: Annotated[bool, typer.Option(help="Test it at once.")] = True,
        as_json: Json = False,
    ) -> None:
        """Adds a connection. Fields come from --set, --stdin, or are asked for, secrets unseen."""
        from junctor.app.cli.inputs import Usage, pairs, read_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import add_connection, definition_of, test_connection

        values: dict[str, Any] = dict(pairs(given or []))
        if stdin:
            read = read_json("-")
            if not isinstance(read, dict):
                raise Usage("Standard input must hold a JSON object.")
            values = {**read, **values}

        async def main() -> Any:
            async with session() as (core, organization_id):
                found, chosen, definition = definition_of(core, connector, kind)
                if not stdin and not as_json and sys.stdin.isatty():
                    ask_form(definition.form, values)
                made = await add_connection(
                    core,
                    organization_id,
                    actor=actor(),
                    name=name or found.label,
                    connector=found.name,
                    kind=chosen,
                    base_url=base_url,
                    values=values,
                )
                # What nobody has allowed yet can't work.
                if not test or definition.oauth is not None:
                    return made, definition.oauth is not None
                return await test_connection(core, organization_id, made, actor=actor()), False

        made, asks = run_async(main())
        _say(made, "Added", as_json=as_json, asks=asks)

    @group.command("test")
    def test_(
        connection: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Json = False,
    ) -> None:
        """Tests a connection now; exit 1 if it does not work."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import find_connection, test_connection

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                return await test_connection(core, organization_id, found, actor=actor())

        _say(run_async(main()), "Tested", as_json=as_json)

    @group.command("remove")
    def remove(
        connection: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Json = False,
    ) -> None:
        """Removes a connection that nothing uses."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import find_connection

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                await core.catalog.delete_connection(organization_id, found.id, actor=actor())
                return found

        gone = run_async(main())
        if as_json:
            print_json({"removed": _record(gone)["id"], "name": gone.name})
        else:
            console().print(f"Removed '{gone.name}'.", markup=False)

    connection_care.add(group)
    app.add_typer(group, name="connections")


def ask_form(form: type, values: dict[str, Any]) -> None:
    """Asks for required fields that were not given; secrets are not echoed."""
    from junctor.language import forms

    secrets = forms.secrets_of(form)
    for slot in forms.slots_of(form):
        if slot.required and slot.key not in values and slot.name not in values:
            values[slot.key] = typer.prompt(slot.field.label, hide_input=slot.key in secrets)


def _record(found: Any) -> dict[str, Any]:
    from junctor.app.logs import redact
    from junctor.language import ids

    return {
        "id": ids.show("con", found.id),
        "name": found.name,
        "connector": found.connector,
        "kind": found.kind,
        "base_url": found.base_url,
        "settings": redact(dict(found.settings)),
        "tested_at": found.tested_at,
        "test_error": found.test_error,
    }


def _say(found: Any, verb: str, *, as_json: bool, asks: bool = False) -> None:
    from junctor.app.cli.output import console, print_json

    if as_json:
        print_json(_record(found))
    else:
        out = console()
        shown = _record(found)["id"]
        about = ", ".join(filter(None, (shown, found.base_url)))
        out.print(f"{verb} '{found.name}' ({about}).", markup=False)
        if found.tested_at is not None and found.test_error is None:
            out.print("[green]✓[/] It works.")
        elif verb == "Added" and asks:
            out.print(f"Now authorise it: junctor connections authorize {shown}", markup=False)
        elif found.test_error is not None:
            out.print(f"✗ It does not work: {found.test_error}", style="red", markup=False)
    if found.test_error is not None:
        raise typer.Exit(1)
