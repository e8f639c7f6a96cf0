"""``junctor sim``: serves a vendor's double until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import signal
import ssl
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command ``sim``."""

    @app.command("sim")
    def sim(
        name: Annotated[
            str, typer.Argument(help="Which vendor: crisp, highlevel, signalwire or toky.")
        ],
        *,
        port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 0,
        host: Annotated[
            str, typer.Option(help="Address to serve on; the admin API has no password.")
        ] = "127.0.0.1",
        json: Annotated[
            bool, typer.Option("--json", help="Print the connection's facts as one line of JSON.")
        ] = False,
        clock_factor: Annotated[
            float, typer.Option(help="How much faster limits and retries run than real time.")
        ] = 1.0,
        seed: Annotated[
            int | None, typer.Option(help="Same data and credentials at every start.")
        ] = None,
        latency: Annotated[
            float, typer.Option(min=0.0, help="Seconds that every answer takes.")
        ] = 0.0,
        certificate: Annotated[
            Path | None,
            typer.Option(
                exists=True,
                dir_okay=False,
                help="Serve HTTPS with this certificate and its key, both in one PEM file.",
            ),
        ] = None,
    ) -> None:
        """Serve a simulated vendor, with its limits, faults and webhooks, for tests and demos."""
        # The simulators load their server and crypto only when one is wanted.
        from junctor.simulators import SIMULATORS

        if name not in SIMULATORS:
            known = ", ".join(sorted(SIMULATORS))
            typer.echo(f"There is no simulator {name!r}. There are: {known}.", err=True)
            raise typer.Exit(2)
        if clock_factor <= 0:
            typer.echo(f"--clock-factor: {clock_factor:g} is not above 0.", err=True)
            raise typer.Exit(2)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(
                    _serve(
                        name,
                        host=host,
                        port=port,
                        as_json=json,
                        clock_factor=clock_factor,
                        seed=seed,
                        latency=latency,
                        secure=_secure(certificate),
                    )
                )
        except ssl.SSLError as error:
            typer.echo(f"--certificate: {certificate} is no certificate with its key.", err=True)
            raise typer.Exit(2) from error
        except OSError as error:
            typer.echo(_why_not(error, host, port), err=True)
            raise typer.Exit(1) from error


async def _serve(
    name: str,
    *,
    host: str,
    port: int,
    as_json: bool,
    clock_factor: float,
    seed: int | None,
    latency: float,
    secure: ssl.SSLContext | None,
) -> None:
    from junctor.simulators import make
    from junctor.simulators.clock import Clock
    from junctor.simulators.kit import running

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    simulator = make(name, seed=seed, clock=Clock(clock_factor), latency=latency)
    async with running(simulator, host=host, port=port, certificate=secure) as sim:
        facts: dict[str, Any] = {
            "base_url": sim.base_url,
            "credentials": sim.credentials,
            "admin_url": sim.admin_url,
        }
        if as_json:
            typer.echo(msgspec.json.encode(facts).decode())
        else:
            typer.echo(f"A simulated {sim.title} is at {sim.base_url}")
            for key, value in sim.credentials.items():
                typer.echo(f"  {key}: {value}")
            typer.echo(f"Look inside at {sim.admin_url}/state. Ctrl-C stops it.")
        sys.stdout.flush()
        await stop.wait()


def _secure(certificate: Path | None) -> ssl.SSLContext | None:
    """What HTTPS needs; `ssl.SSLError` if the file doesn't hold it."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _loop_factory() -> Any:
    """The faster loop where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken. Choose another with --port, "
            "or leave it out for any free one."
        )
    return f"Can't serve on {host}, port {port}: {error.strerror or error}."
