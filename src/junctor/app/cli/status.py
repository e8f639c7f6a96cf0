"""`junctor status`: how the installation does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from junctor.app.status import NodeStatus, Status

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("status")
    def status(
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows processes, queues, lag, vendors' budgets, stopped runs and the database."""
        import msgspec

        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.status import status as read

        async def main() -> Status:
            async with session() as (core, _):
                return await read(core)

        found = run_async(main())
        if as_json:
            print_json(msgspec.to_builtins(found))
        else:
            show(found)


def show(found: Status) -> None:
    """Prints it for people."""
    from junctor.app.cli.output import console, print_table, size

    out = console()

    def say(*parts: Any) -> None:
        out.print(*parts, markup=False)

    if found.nodes:
        print_table(
            "",
            ("process", "role", "release", "up", "last seen", "#runs under way", "#in its spool"),
            (
                (
                    node.name,
                    node.role,
                    node.version,
                    spell(node.uptime),
                    _last_seen(node),
                    "" if node.active is None else node.active,
                    "" if node.spool is None else node.spool.deliveries,
                )
                for node in found.nodes
            ),
        )
    else:
        say("No server and no worker runs.")
    for node in found.nodes:
        if node.spool is not None and node.spool.deliveries:
            say(
                f"Spool       of {node.name}: {node.spool.deliveries:,} deliveries, "
                f"{size(node.spool.bytes)}, the oldest {spell(node.spool.oldest)}"
            )
    queues, runs = found.queues, found.runs
    say(
        f"\nQueues      {queues.deliveries:,} deliveries in {queues.queues:,} queues, the oldest "
        f"{spell(queues.oldest)}; {queues.claimed:,} being worked on, {queues.blocked:,} blocked, "
        f"{queues.held:,} held, {queues.parked:,} deliveries parked"
    )
    say(f"Lag         {spell(queues.lag)}")
    if found.starts.p50 is not None and found.starts.p95 is not None:
        say(
            f"Starts      p50 {found.starts.p50 * 1000:.0f} ms, p95 {found.starts.p95 * 1000:.0f} "
            f"ms after arrival ({found.starts.runs:,} in the last minute)"
        )
    say(
        f"Runs        {runs['waiting']:,} waiting, {runs['incomplete']:,} incomplete, "
        f"{runs['uncertain']:,} uncertain"
    )
    held = found.scenarios
    say(
        f"Scenarios   {held['active']:,} active, {held['paused']:,} paused, "
        f"{held['draining']:,} draining"
    )
    jobs = ", ".join(f"{count:,} {state}" for state, count in sorted(found.jobs.items()))
    say(f"Jobs        {jobs or 'none'}")
    base = found.database
    say(
        f"Database    PostgreSQL {base.version}, {size(base.bytes)}, {base.connections} of "
        f"{base.most_connections} connections"
    )
    if found.budgets:
        say()
        print_table(
            "Vendors' budgets",
            (
                "connector",
                "budget",
                "connection",
                "#taken",
                "#of",
                "#seconds",
                "#by others",
                "#paused",
            ),
            (
                (
                    each.connector,
                    each.name,
                    each.connection or each.key,
                    each.taken,
                    each.limit,
                    f"{each.window:g}",
                    each.others or "",
                    f"{each.pause:g} s" if each.pause else "",
                )
                for each in found.budgets
            ),
        )


def _last_seen(node: NodeStatus) -> str:
    if node.alive:
        return "now"
    return f"{spell(node.silent)} ago: {'gone' if node.gone else 'gone?'}"


def spell(seconds: float) -> str:
    """A span for people: ``0.2 s``, ``12 min``, ``3 h``, ``4 d``."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
