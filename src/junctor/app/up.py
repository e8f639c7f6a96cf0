"""What ``junctor up`` does: a machine, its first owner, and perhaps the demo."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from rich.console import Console
from rich.markup import escape

from junctor.app.machine import Machine
from junctor.app.settings import Settings
from junctor.errors import JunctorError
from junctor.language.connector import Secret

__all__ = ["run_up"]


async def run_up(settings: Settings, *, demo: bool, calls: int | None, backup: bool = True) -> None:
    """Runs until cancelled; everything started here ends with it.

    ``backup``: an own database is backed up before a migration.
    """
    console = Console(highlight=False)

    def say(line: str) -> None:
        console.print(escape(line), style="dim")

    machine = Machine(settings, say=say)
    machine.backup = backup
    try:
        await machine.begin_database()
        machine.choose_port()
        simulators = None
        if demo:
            from junctor.app.simulators import Simulators

            simulators = Simulators(settings.data_dir)
            simulators.start(machine, others=True)
        addresses = simulators.addresses if simulators is not None else ()
        machine.start_processes(allow=addresses)
        await machine.database_ready()
        # Loaded while the processes load theirs: on two cores that is a second less to wait.
        from junctor.app.activation import reconcile_all
        from junctor.app.core import open_core
        from junctor.app.owner import ensure_owner

        async with open_core(machine.settings.with_allowed(addresses), machine.url) as core:
            await machine.ready()
            token = await ensure_owner(core)  # last, so that it is shown as soon as it is made
            _greet(console, machine.settings, token)
            if simulators is not None:
                from junctor.app.demo_show import show_demo

                await show_demo(core, simulators, console, calls=calls)
                _greet(console, machine.settings, token)
            for line in await reconcile_all(core, actor="system:up"):
                say(line)
            _obey(machine)
            console.print("Ctrl-C stops everything.", style="dim")
            if simulators is not None:
                # Only now: until the demo had run, they would have slowed it.
                from junctor.app.demo import connect_others

                simulators.start_others(machine)
                try:
                    await connect_others(core, simulators)
                except JunctorError as error:
                    say(f"The other simulated vendors are not connected: {error.message}")
        await asyncio.Event().wait()
    finally:
        with suppress(OSError):  # the terminal may be gone
            say("Stopping.")
        await machine.stop()


def _obey(machine: Machine) -> None:
    """From now on the machine can be told to replace its processes."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(machine.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGUSR2, reload)
    if not os.isatty(0):  # of a terminal that is closed, SIGHUP still means the end
        loop.add_signal_handler(signal.SIGHUP, reload)
    machine.tell_running()


def _greet(console: Console, settings: Settings, token: Secret | None) -> None:
    console.print(f"\n[bold]Junctor[/] is at [cyan]{settings.public_url}[/]")
    if token is not None:
        console.print(f"Owner's API token: [bold]{token!s}[/]", soft_wrap=True)
        console.print("It is shown only now: keep it. `junctor tokens create` makes more.")
    else:
        console.print(
            "Your API token was shown at the first start; `junctor tokens create` makes another.",
            style="dim",
        )
