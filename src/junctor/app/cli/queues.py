"""`junctor queues`: what waits, who is at it, and what blocks it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("queues")
    def queues(
        scenario: Annotated[str | None, typer.Option(help="Only of this one: id or name.")] = None,
        blocked: Annotated[bool, typer.Option("--blocked", help="Only blocked ones.")] = False,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists what waits by scenario and order key: blocked first, then the oldest.

        What is blocked stands behind a run: settle or discard that, or `junctor run skip` it.
        """
        import msgspec

        from junctor.app.cli.output import ago, console, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import all_scenarios, find_scenario
        from junctor.app.views import key_shown, queue_view
        from junctor.language import ids
        from junctor.ports.catalog import Queue, Scenario

        async def main() -> tuple[list[Queue], bool, dict[Any, Scenario]]:
            async with session() as (core, organization_id):
                only = await find_scenario(core, organization_id, scenario) if scenario else None
                found = await core.catalog.queues(
                    organization_id, scenario_id=only.id if only else None, limit=limit
                )
                every = await all_scenarios(core, organization_id)
                more = found.cursor is not None
                return found.items, more, {each.id: each for each in every}

        found, more, scenarios = run_async(main())
        if blocked:
            found = [queue for queue in found if queue.blocked_by_run is not None]
        if as_json:
            queues = [msgspec.to_builtins(queue_view(queue)) for queue in found]
            print_json({"queues": queues, "more": more})
            return
        print_table(
            "",
            ("scenario", "order key", "#waiting", "#parked", "oldest", "worker", "how it is"),
            (
                (
                    scenarios[queue.scenario_id].name
                    if queue.scenario_id in scenarios
                    else "(deleted)",
                    key_shown(queue.order_key),
                    queue.deliveries,
                    queue.parked or "",
                    ago(queue.oldest_at),
                    queue.owner,
                    how(queue, scenarios.get(queue.scenario_id)),
                )
                for queue in found
            ),
        )
        if more:
            console().print("\nThere are more: --limit shows up to 1000.", markup=False)
        stopped = [queue for queue in found if queue.blocked_by_run is not None]
        if stopped and stopped[0].blocked_by_run is not None:
            run = ids.show("run", stopped[0].blocked_by_run)
            ways = "settle" if stopped[0].blocked_state == "uncertain" else "retry"
            console().print(
                f"\n`junctor run {run}` says why it stopped. What is behind it goes on when you "
                f"{ways} or discard it; `junctor run skip {run}` lets it pass.",
                markup=False,
            )


def how(queue: Any, scenario: Any) -> str:
    """Why a queue stands, in a few words; empty if it does not."""
    from junctor.app.cli.output import ago
    from junctor.language import ids

    if queue.blocked_by_run is not None:
        error = (queue.blocked_error or {}).get("message", "")
        where = f" in module {queue.blocked_module}" if queue.blocked_module else ""
        why = f": {error}" if error else ""
        run = ids.show("run", queue.blocked_by_run)
        return f"behind {run} ({queue.blocked_state}{where}{why})"
    if scenario is not None and not queue.order_key.startswith("~"):
        if not scenario.active:
            return "its scenario is off"
        if scenario.paused_at is not None:
            return "paused"
    if queue.due_at is not None and not queue.deliveries:
        return f"waits until {ago(queue.due_at)}"
    return ""
