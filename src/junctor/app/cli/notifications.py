"""`junctor notifications`: whom notices are told, by e-mail and webhook."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Name = Annotated[str, typer.Argument(help="Its name or id.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Say whom notices are told, and how.", cls=Listing)

    @group.command("add")
    def add(
        name: Annotated[str, typer.Argument(help="What it is called here.")],
        email: Annotated[str | None, typer.Option(help="Addresses, by comma.")] = None,
        webhook: Annotated[str | None, typer.Option(help="A URL that is posted to.")] = None,
        kind: Annotated[
            list[str] | None, typer.Option(help="Only notices of this kind. Repeatable.")
        ] = None,
        scenario: Annotated[
            list[str] | None, typer.Option(help="Only of this scenario: id or name. Repeatable.")
        ] = None,
        pause: Annotated[
            int, typer.Option(help="Seconds between two messages of a kind; what comes gathers.")
        ] = 900,
        as_json: Json = False,
    ) -> None:
        """Adds a channel; of a webhook it shows the secret that signs what is posted."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.notifications import add_channel

        async def main() -> tuple[Any, Any]:
            async with session() as (core, organization_id):
                return await add_channel(
                    core,
                    organization_id,
                    actor=actor(),
                    name=name,
                    email=email,
                    webhook=webhook,
                    kinds=kind or (),
                    scenarios=scenario or (),
                    pause=pause,
                )

        found, secret = run_async(main())
        shown = None if secret is None else str.__str__(secret)
        if as_json:
            print_json({**_record(found), "secret": shown})
            return
        out = console()
        out.print(f"Added {found.name} ({found.address}).", markup=False)
        if shown is not None:
            out.print(f"Its secret, shown only now: {shown}", markup=False, soft_wrap=True)
        out.print(f"Try it: junctor notifications test '{found.name}'", markup=False, style="dim")

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists channels, what they are told, and how that went."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.notifications import channels

        async def main() -> list[Any]:
            async with session() as (core, organization_id):
                return await channels(core, organization_id)

        found = run_async(main())
        if as_json:
            print_json({"channels": [_record(each) for each in found]})
            return
        print_table(
            "",
            ("channel", "address", "kinds", "scenarios", "pause", "last sent", "trouble"),
            (
                (
                    each.name,
                    each.address,
                    ", ".join(each.kinds) or "all",
                    len(each.scenarios) or "all",
                    f"{each.pause_seconds} s",
                    ago(each.sent_at) if each.sent_at else "-",
                    (each.error or "") if each.enabled else "switched off",
                )
                for each in found
            ),
        )

    @group.command("test")
    def test(name: Name, as_json: Json = False) -> None:
        """Sends a channel a test message at once, and says what went wrong."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.notifications import find_channel, notifier

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_channel(core, organization_id, name)
                await notifier(core).test(organization_id, found.id)
                return found

        found = run_async(main())
        if as_json:
            print_json({**_record(found), "sent": True})
        else:
            console().print(f"Sent to {found.address}.", markup=False)

    @group.command("enable")
    def enable(name: Name, as_json: Json = False) -> None:
        """Switches a channel on: from now on it is told what happens."""
        _switch(name, enabled=True, as_json=as_json)

    @group.command("disable")
    def disable(name: Name, as_json: Json = False) -> None:
        """Switches a channel off: it is told nothing, not even what waits."""
        _switch(name, enabled=False, as_json=as_json)

    @group.command("remove")
    def remove(name: Name, as_json: Json = False) -> None:
        """Removes a channel; it is told nothing more."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.notifications import find_channel, remove_channel

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_channel(core, organization_id, name)
                await remove_channel(core, organization_id, found.id, actor=actor())
                return found

        gone = run_async(main())
        if as_json:
            print_json(_record(gone))
        else:
            console().print(f"Removed {gone.name}", markup=False)

    app.add_typer(group, name="notifications")


def _switch(name: str, *, enabled: bool, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json
    from junctor.app.cli.session import actor, run_async, session
    from junctor.app.notifications import find_channel, switch_channel

    async def main() -> Any:
        async with session() as (core, organization_id):
            found = await find_channel(core, organization_id, name)
            return await switch_channel(
                core, organization_id, found.id, actor=actor(), enabled=enabled
            )

    found = run_async(main())
    if as_json:
        print_json(_record(found))
    else:
        console().print(f"{found.name} is {'on' if enabled else 'off'}", markup=False)


def _record(found: Any) -> dict[str, Any]:
    from junctor.language import ids

    return {
        "id": ids.show("ntc", found.id),
        "name": found.name,
        "kind": found.kind,
        "address": found.address,
        "kinds": list(found.kinds),
        "scenarios": [ids.show("scn", each) for each in found.scenarios],
        "enabled": found.enabled,
        "pause": found.pause_seconds,
        "sent_at": found.sent_at,
        "failed_at": found.failed_at,
        "error": found.error,
    }
