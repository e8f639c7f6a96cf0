"""What ``junctor up`` does: a machine, its first owner, and perhaps the demo."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from rich.console import Console
from rich.markup import escape

from junctor.app.core import open_core
from junctor.app.machine import Machine
from junctor.app.owner import ensure_owner
from junctor.app.settings import Settings

__all__ = ["run_up"]


async def run_up(settings: Settings, *, demo: bool, calls: int | None) -> None:
    """Runs until cancelled; everything started here ends with it."""
    console = Console(highlight=False)

    def say(line: str) -> None:
        console.print(escape(line), style="dim")

    machine = Machine(settings, say=say)
    try:
        machine.choose_port()
        simulators = None
        if demo:
            from junctor.app.demo import Simulators

            simulators = Simulators(settings.data_dir)
            simulators.start(machine)
        await machine.start_database()
        token = await ensure_owner(machine.url)
        machine.start_processes(allow=simulators.addresses if simulators else ())
        await machine.ready()
        _greet(console, machine.settings, token)
        if simulators is not None:
            from junctor.app.demo import show_demo

            allowed = machine.settings.with_allowed(simulators.addresses)
            async with open_core(allowed, machine.url) as core:
                await show_demo(core, simulators, console, calls=calls)
            _greet(console, machine.settings, token)
        else:
            await _reconcile(machine, say)
        console.print("Ctrl-C stops everything.", style="dim")
        await asyncio.Event().wait()
    finally:
        with suppress(OSError):  # the terminal may be gone
            say("Stopping.")
        await machine.stop()


async def _reconcile(machine: Machine, say: object) -> None:
    """Makes the hooks at the vendors agree with this address; trouble is said, not fatal."""
    from junctor.app.activation import reconcile_all

    async with open_core(machine.settings, machine.url) as core:
        for line in await reconcile_all(core, actor="system:up"):
            if callable(say):
                say(line)


def _greet(console: Console, settings: Settings, token: str | None) -> None:
    console.print(f"\n[bold]Junctor[/] is at [cyan]{settings.public_url}[/]")
    if token is not None:
        console.print(f"Owner's API token: [bold]{token}[/]", soft_wrap=True)
        console.print("It is shown only now: keep it. `junctor tokens create` makes more.")
    else:
        console.print(
            "Your API token was shown at the first start; `junctor tokens create` makes another.",
            style="dim",
        )
