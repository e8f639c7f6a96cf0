"""Questions about what a blueprint's modules are bound to, for `import` and `scenarios bind`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import typer

from junctor.app.bindings import PREFIXES, WORDS, Thing, Want
from junctor.app.cli.inputs import pairs
from junctor.app.cli.output import console
from junctor.app.core import Core
from junctor.language import ids

__all__ = ["answers", "as_record", "asks", "given", "show_bound"]


def given(mapped: Sequence[str] | None, connections: Sequence[str] | None = None) -> dict[str, str]:
    """``--map`` and ``--connection`` as one mapping."""
    return {**pairs(connections or []), **pairs(mapped or [])}


def asks(*, yes: bool, as_json: bool, stdin_taken: bool) -> bool:
    """Whether there is somebody to ask."""
    quiet = yes or as_json or stdin_taken
    return not quiet and sys.stdin.isatty() and sys.stdout.isatty()


async def answers(core: Core, organization_id: UUID, wants: Sequence[Want]) -> dict[str, str]:
    """Asks for each thing that can be chosen or has to be; the answers are a mapping."""
    open_ = [want for want in wants if want.candidates or not want.met or want.create]
    open_ = [want for want in open_ if want.kind != "hook" or want.candidates]
    out: dict[str, str] = {}
    for number, want in enumerate(open_, 1):
        value = await _ask(core, organization_id, want, f"{number} of {len(open_)}")
        out |= {f"{need.kind}:{need.key}": value for need in want.needs}
    return out


def as_record(want: Want) -> dict[str, Any]:
    """A requirement as `--json` prints it; the API's shape."""
    return {
        "key": want.key,
        "kind": want.kind,
        "of": want.of,
        "type": want.type,
        "label": want.label,
        "modules": [need.module for need in want.needs],
        "required": want.required,
        "met": want.met,
        "chosen": _thing(want.chosen) if want.chosen is not None else None,
        "create": want.create.name if want.create is not None else None,
        "candidates": [_thing(each) for each in want.candidates],
    }


def show_bound(wants: Sequence[Want]) -> None:
    """One line for each thing that was chosen or made."""
    out = console()
    for want in wants:
        users = _users(want)
        if want.create is not None:
            made = f"a new {WORDS[want.kind]} '{want.create.name}'"
            out.print(f"  {users} → {made}", markup=False)
        elif want.chosen is not None:
            warn = " (its last test failed)" if want.chosen.refused else ""
            word = WORDS[want.kind]
            out.print(f"  {users} → {word} '{want.chosen.name}'{warn}", markup=False)


def _thing(thing: Thing) -> dict[str, Any]:
    shown = ids.show(PREFIXES[thing.kind], thing.id)
    return {"id": shown, "name": thing.name, "refused": thing.refused}


def _users(want: Want) -> str:
    numbers = ", ".join(str(need.module) for need in want.needs[:8])
    more = ", …" if len(want.needs) > 8 else ""
    plural = "s" if len(want.needs) > 1 else ""
    return f"module{plural} {numbers}{more} ({want.needs[0].name})"


async def _ask(core: Core, organization_id: UUID, want: Want, place: str) -> str:
    out = console()
    was = f"; it was '{want.label}'" if want.label else ""
    what = f"{WORDS[want.kind]} of {want.of}" if want.kind == "connection" else WORDS[want.kind]
    out.print(f"\n[bold]{what.capitalize()}[/] [dim]({place})[/]")
    out.print(f"  for {_users(want)}{was}", markup=False, style="dim")
    for number, each in enumerate(want.candidates, 1):
        note = "  [yellow]its last test failed[/]" if each.refused else ""
        out.print(f"  [cyan]{number}[/]  {_escape(each.name)}{note}")
    if want.kind in {"connection", "store", "structure"}:
        out.print("  [cyan]n[/]  make a new one")
    elif want.kind == "hook":
        out.print("  [cyan]n[/]  a new address, made when the scenario is activated")
    out.print("  [cyan]-[/]  leave it open")
    default = "-"
    if want.chosen is not None:
        default = str(want.candidates.index(want.chosen) + 1)
    elif want.kind == "hook" or want.create is not None:
        default = "n"
    while True:
        said = str(typer.prompt("  Choose", default=default)).strip()
        if said == "-" or (said == "n" and want.kind == "hook"):
            return ""
        if said == "n" and want.kind in {"store", "structure"}:
            named = want.create.name if want.create is not None else want.label
            name = typer.prompt("  Its name", default=named or WORDS[want.kind].capitalize())
            return f"new:{name}"
        if said == "n" and want.kind == "connection":
            return str(await _connection(core, organization_id, want))
        if said.isdecimal() and 1 <= int(said) <= len(want.candidates):
            return str(want.candidates[int(said) - 1].id)
        named_so = [each for each in want.candidates if each.name.casefold() == said.casefold()]
        if named_so:
            return str(named_so[0].id)
        out.print("  There is no such choice.", style="yellow")


async def _connection(core: Core, organization_id: UUID, want: Want) -> UUID:
    from junctor.app.cli.connections import ask_form
    from junctor.app.cli.session import actor
    from junctor.app.connections import add_connection, definition_of, test_connection

    sorts = want.needs[0].sorts
    found, kind, definition = definition_of(core, want.of, sorts[0] if sorts else None)
    values: dict[str, Any] = {}
    name = typer.prompt("  Its name", default=want.label or found.label)
    ask_form(definition.form, values)
    made = await add_connection(
        core,
        organization_id,
        actor=actor(),
        name=name,
        connector=found.name,
        kind=kind,
        base_url=None,
        values=values,
    )
    tested = await test_connection(core, organization_id, made, actor=actor())
    if tested.test_error is not None:
        console().print(f"  It does not work: {tested.test_error}", style="red", markup=False)
    return made.id


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
