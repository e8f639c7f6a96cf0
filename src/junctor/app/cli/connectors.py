"""`junctor connectors`: what there is to build with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from junctor.app.offered import registry_of
from junctor.errors import NotFound
from junctor.language.connector import Connector, ModuleDef
from junctor.language.forms import schema_of
from junctor.runtime.registry import Registry

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("connectors")(connectors)


def connectors(
    name: Annotated[
        str | None, typer.Argument(help="One connector, such as toky; none: all of them.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Every module with its form, as JSON.")
    ] = False,
) -> None:
    """Lists connectors and their modules."""
    registry = registry_of()
    if name is None:
        chosen = registry.connectors()
    else:
        found = registry.connector(name)
        if found is None:
            raise _unknown(name, registry)
        chosen = [found]
    if as_json:
        rows = [_row(module) for connector in chosen for module in connector.modules.values()]
        json.dump({"modules": rows}, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif name is None:
        Console().print(_overview(chosen))
    else:
        Console().print(_details(chosen[0]))


def _unknown(name: str, registry: Registry) -> NotFound:
    near = registry.near(name)
    hint = (
        f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(registry.names)}."
    )
    return NotFound(f"There is no connector '{name}'. {hint}", path="connector")


def _row(module: ModuleDef) -> dict[str, Any]:
    return {
        "id": module.id,
        "connector": module.connector,
        "name": module.name,
        "label": module.label,
        "kind": module.kind,
        "effect": "by its method" if module.effect_of is not None else module.effect,
        "backfill": module.hook is not None and module.hook.backfill is not None,
        "probe": module.probe is not None,
        "help": module.help,
        "schema": schema_of(module),
    }


def _overview(chosen: Iterable[Connector]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("Name", "Connector", "Modules", "Connections"):
        table.add_column(heading, justify="right" if heading == "Modules" else "left")
    for connector in chosen:
        kinds = ", ".join(connector.connections)
        table.add_row(connector.name, connector.label, str(len(connector.modules)), kinds)
    return table


def _details(connector: Connector) -> Table:
    table = Table(box=None, pad_edge=False, title=connector.label, title_justify="left")
    for heading in ("Module", "Kind", "Effect", "What it does"):
        table.add_column(heading, overflow="fold")
    for module in connector.modules.values():
        first = module.help.split("\n")[0]
        effect: str = "by its method" if module.effect_of is not None else module.effect
        effect += ", probed" if module.probe is not None else ""
        if module.hook is not None and module.hook.backfill is not None:
            effect += ", fetches what it missed"
        table.add_row(module.name, module.kind, effect, first)
    return table
