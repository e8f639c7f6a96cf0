"""`junctor call`: one module, for real."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["connection_of", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("call")
    def call(
        connector: Annotated[str, typer.Argument(help="E.g. toky.")],
        module: Annotated[str, typer.Argument(help="E.g. listAgents.")],
        connection: Annotated[
            str | None, typer.Option(help="Its id or name; the connector's only one otherwise.")
        ] = None,
        given: Annotated[
            str, typer.Option("--input", help="Arguments as a JSON object; @FILE, or - for stdin.")
        ] = "{}",
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Calls one module for real, with its effects, and prints its bundles. Nothing is kept."""
        from junctor.app.calling import Called, call_module
        from junctor.app.cli.inputs import Usage, read_json
        from junctor.app.cli.output import console, print_json, size
        from junctor.app.cli.session import run_async, session
        from junctor.app.logs import redact_bundle

        arguments = read_json(given)
        if not isinstance(arguments, dict):
            raise Usage("The input must be a JSON object.")

        async def main() -> Called:
            async with session() as (core, organization_id):
                found = _find(core, connector, module)
                chosen = await connection_of(core, organization_id, found.connector, connection)
                return await call_module(
                    core, organization_id, found, arguments, connection_id=chosen
                )

        done = run_async(main())
        bundles = [redact_bundle(bundle) for bundle in done.bundles]
        if as_json:
            print_json(
                {
                    "module": done.module,
                    "effect": done.effect,
                    "bundles": bundles,
                    "requests": done.requests,
                    "bytes": done.bytes,
                }
            )
            return
        import json

        out = console()
        for bundle in bundles:
            out.print(json.dumps(bundle, ensure_ascii=False, indent=2, default=str), markup=False)
        out.print(
            f"{len(bundles)} bundles, {done.requests} requests, {size(done.bytes)}", style="dim"
        )


def _find(core: Any, connector: str, module: str) -> Any:
    from junctor.errors import NotFound

    known = core.registry.connector(connector)
    if known is None:
        near = ", ".join(core.registry.near(connector) or core.registry.names)
        raise NotFound(f"There is no connector '{connector}'. There are: {near}.")
    found = known.modules.get(module)
    if found is None:
        wanted = module.replace("_", "").replace("-", "").casefold()
        found = next(
            (each for name, each in known.modules.items() if name.casefold() == wanted), None
        )
    if found is None:
        raise NotFound(
            f"'{connector}' has no module '{module}'. It has: {', '.join(known.modules)}."
        )
    return found


async def connection_of(core: Any, organization_id: Any, connector: str, given: str | None) -> Any:
    """The id of the connection to use: the one named, or a connector's only one."""
    from junctor.app.connections import find_connection
    from junctor.errors import Misconfigured

    if given is not None:
        return (await find_connection(core, organization_id, given)).id
    definition = core.registry.connector(connector)
    if definition is None or not definition.connections:
        return None
    page = await core.catalog.connections(organization_id, connector=connector, limit=2)
    if len(page.items) == 1:
        return page.items[0].id
    if not page.items:
        raise Misconfigured(
            f"There is no connection of '{connector}': `junctor connections add {connector}`."
        )
    raise Misconfigured(f"'{connector}' has several connections; choose one with --connection.")
