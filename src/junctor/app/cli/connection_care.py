"""`junctor connections authorize|show|rotate`: what a connection's owner does for it, and sees."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["add"]

Named = Annotated[str, typer.Argument(help="Its id or name.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def add(group: typer.Typer) -> None:
    """Adds the commands."""

    @group.command("authorize")
    def authorize(
        connection: Named,
        switch: Annotated[
            bool, typer.Option("--switch", help="Another account than before may be chosen.")
        ] = False,
        wait: Annotated[
            float, typer.Option(help="Seconds to wait for the end; 0: only print the address.")
        ] = 600.0,
        as_json: Json = False,
    ) -> None:
        """Prints the vendor's page where a connection is allowed (OAuth), and waits for the end."""
        from junctor.app import care
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import find_connection
        from junctor.errors import Stop
        from junctor.language import ids

        async def main() -> None:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                where = care.callback_url(core.settings)
                start = await care.authorizing(core).begin(
                    organization_id, found.id, redirect_uri=where, actor=actor(), switch=switch
                )
                shown = {"connection": ids.show("con", found.id), "url": start.url}
                if as_json:
                    print_json({**shown, "callback_url": where})
                else:
                    out = console()
                    out.print("Open this page and allow it:\n")
                    out.print(start.url, markup=False, soft_wrap=True)
                    out.print(
                        f"\nIt leads back to {where}, which your app there must name.",
                        markup=False,
                    )
                if not wait:
                    return
                ended = await care.wait_authorization(core, organization_id, start.id, within=wait)
                if ended.error is not None:
                    raise Stop(ended.error)
                if as_json:
                    print_json({**shown, "account": ended.account})
                else:
                    whose = f" as {ended.account}" if ended.account else ""
                    console().print(f"[green]✓[/] '{found.name}' is authorised{whose}.")

        run_async(main())

    @group.command("show")
    def show(
        connection: Named,
        requests: Annotated[int, typer.Option(help="How many of its last requests.")] = 10,
        as_json: Json = False,
    ) -> None:
        """Shows a connection: its health, the age of its key, its budgets, usage, last requests."""
        from datetime import UTC, datetime

        from junctor.app import care
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.connections import find_connection

        async def main() -> tuple[Any, ...]:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                return (
                    found,
                    await care.state_of(core, found),
                    await care.usage_of(core, found),
                    await care.requests_of(core, found, limit=max(1, min(requests, 100))),
                    await care.budgets_of(core, found),
                )

        found, state, usage, last, budgets = run_async(main())
        now = datetime.now(UTC)
        record = _record(found, state, usage, now)
        record["budgets"] = budgets
        record["requests"] = [_request(each) for each in last[:requests]] if requests > 0 else []
        if as_json:
            print_json(record)
        else:
            _print(record)

    @group.command("rotate")
    def rotate(
        connection: Named,
        given: Annotated[
            list[str] | None,
            typer.Option("--set", help="FIELD=VALUE. Repeatable; others see it in `ps`."),
        ] = None,
        stdin: Annotated[
            bool, typer.Option("--stdin", help="Read the fields as a JSON object from stdin.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Puts a new secret in the old one's place, if a test shows that it works.

        Of a connection by OAuth that is the client's secret; without one, it is authorised anew.
        """
        from junctor.app import care
        from junctor.app.cli.inputs import Usage, pairs, read_json
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.connections import definition_of, find_connection
        from junctor.errors import Misconfigured
        from junctor.language import forms, ids

        values: dict[str, Any] = dict(pairs(given or []))
        if stdin:
            read = read_json("-")
            if not isinstance(read, dict):
                raise Usage("Standard input must hold a JSON object.")
            values = {**read, **values}

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                if not values:
                    _, _, definition = definition_of(core, found.connector, found.kind)
                    if definition.oauth is not None:
                        raise Misconfigured(
                            "For a new grant: junctor connections authorize "
                            f"{ids.show('con', found.id)}. For a new client secret: --set or "
                            "--stdin."
                        )
                    for key in sorted(forms.secrets_of(definition.form)):
                        typed = typer.prompt(key, hide_input=True, default="", show_default=False)
                        if typed:
                            values[key] = typed
                if not values:
                    raise Usage("There is nothing to change.")
                return await care.rotate(core, found, actor=actor(), values=values)

        changed = run_async(main())
        if as_json:
            print_json({"rotated": ids.show("con", changed.id), "name": changed.name})
        else:
            console().print(f"[green]✓[/] '{changed.name}' works with its new secret.")

    @group.command("remind")
    def remind(
        connection: Named,
        days: Annotated[int, typer.Argument(help="Days after a change; 0: never.")],
        as_json: Json = False,
    ) -> None:
        """Sets after how many days one is reminded to change its key (90 unless set)."""
        from datetime import UTC, datetime

        from junctor.app import care
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.connections import find_connection
        from junctor.language import ids

        async def main() -> tuple[Any, Any]:
            async with session() as (core, organization_id):
                found = await find_connection(core, organization_id, connection)
                await care.remind(core, found, days)
                return found, await care.state_of(core, found)

        found, state = run_async(main())
        key = care.key_of(state, datetime.now(UTC))
        if as_json:
            from dataclasses import asdict

            print_json({"connection": ids.show("con", found.id), "key": asdict(key)})
        elif key.remind_at is None:
            console().print(f"No reminder for '{found.name}'.", markup=False)
        else:
            said = f"'{found.name}': a reminder to change its key on {key.remind_at.date()}."
            console().print(said, markup=False)


def _record(found: Any, state: Any, usage: Any, now: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from junctor.app import care
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
        "reconnect": None if state.broken_at is None else redact(state.broken_reason),
        "reconnect_since": state.broken_at,
        "account": state.account,
        "expires_at": state.expires_at,
        "key": asdict(care.key_of(state, now)),
        "usage": [asdict(day) for day in care.days_of(usage)],
        "alerts": care.alerts_of(usage, now),
    }


def _request(each: Any) -> dict[str, Any]:
    from junctor.language import ids

    return {
        "at": each.at,
        "run": None if each.run_id is None else ids.show("run", each.run_id),
        "method": each.method,
        "url": each.url,
        "status": each.status,
        "error": each.error,
        "milliseconds": round(each.milliseconds, 1),
        "sent": each.sent,
        "received": each.received,
    }


def _print(record: dict[str, Any]) -> None:
    from junctor.app.cli.output import ago, console, print_table, size

    out = console()
    key = record["key"]
    out.print(f"{record['name']} ({record['id']})", style="bold", markup=False)
    out.print(f"{record['connector']}, {record['kind']}, {record['base_url']}", markup=False)
    if record["account"]:
        out.print(f"Account: {record['account']}", markup=False)
    if record["expires_at"]:
        out.print(f"Access until {ago(record['expires_at'])}, renewed before.")
    tested = record["test_error"] or "works" if record["tested_at"] else "never tested"
    out.print(f"Test: {tested} {ago(record['tested_at'])}".rstrip(), markup=False)
    if record["reconnect_since"]:
        since = ago(record["reconnect_since"])
        out.print(
            f"✗ Must be connected anew since {since}: {record['reconnect']}",
            style="red",
            markup=False,
        )
    due = "; it is time to change it" if key["due"] else ""
    out.print(f"Key: {key['age_days']} days old{due}.", style="yellow" if due else "")
    for alert in record["alerts"]:
        out.print(f"! {alert}", style="yellow", markup=False)
    if record["budgets"]:
        print_table(
            "",
            ("budget", "#limit", "#seconds", "#spent", "#by others", "#refused"),
            (
                (
                    each["name"],
                    each["limit"],
                    f"{each['window_seconds']:g}",
                    each["spent"],
                    each["others"],
                    each["refused"],
                )
                for each in record["budgets"]
            ),
        )
    if record["usage"]:
        print_table(
            "",
            ("day", "#requests", "#failed", "#401", "#sent", "#received"),
            (
                (
                    day["day"],
                    day["requests"],
                    day["failed"],
                    day["refused"],
                    size(day["sent"]),
                    size(day["received"]),
                )
                for day in record["usage"][:7]
            ),
        )
    if record["requests"]:
        print_table(
            "",
            ("at", "request", "#status", "#ms", "run"),
            (
                (
                    ago(each["at"]),
                    f"{each['method']} {each['url']}",
                    each["status"] or each["error"],
                    each["milliseconds"],
                    each["run"],
                )
                for each in record["requests"]
            ),
        )
