"""`junctor quotas`: what the organisation may keep, and what it keeps."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register"]

_SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("quotas")
    def quotas(
        deliveries: Annotated[
            str | None, typer.Option(help="Most deliveries that wait; none: no limit.")
        ] = None,
        queue: Annotated[
            str | None, typer.Option(help="Most bytes that wait, as 500MB or 2GB; none: no limit.")
        ] = None,
        storage: Annotated[
            str | None, typer.Option(help="Most bytes of history and files; none: no limit.")
        ] = None,
        records: Annotated[
            str | None, typer.Option(help="Most records in data stores; none: no limit.")
        ] = None,
        minutes: Annotated[
            int | None,
            typer.Option(help="Age of a scenario's oldest delivery that is told; 0: none is."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows what the organisation may keep and what it keeps; with options, changes it."""
        from dataclasses import asdict

        from junctor.app.cli.output import ago, print_json, print_table, size
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.quotas import LIMITS, change_quota, quota_of, used_by

        given = {"queued_deliveries": deliveries, "queued_bytes": queue}
        given |= {"stored_bytes": storage, "records": records}
        changes = {name: _number(text) for name, text in given.items() if text is not None}
        if minutes is not None:
            changes["queue_minutes"] = minutes

        async def main() -> tuple[Any, Any]:
            async with session() as (core, organization_id):
                if changes:
                    await change_quota(core, organization_id, changes, actor=actor())
                quota = await quota_of(core, organization_id)
                return quota, await used_by(core, organization_id)

        quota, used = run_async(main())
        if as_json:
            print_json({"limits": asdict(quota), "used": asdict(used)})
            return

        def amount(name: str, value: int | None, unknown: str) -> str:
            if value is None:
                return unknown
            return size(value) if name.endswith("bytes") else f"{value:,}"

        rows = [
            (what, amount(name, getattr(used, name), "-"), amount(name, getattr(quota, name), "-"))
            for name, what in LIMITS.items()
        ]
        oldest = ago(used.oldest_at) if used.oldest_at else "-"
        told = f"told after {quota.queue_minutes} minutes" if quota.queue_minutes else "not told"
        print_table("", ("what", "#used", "#at most"), [*rows, ("oldest delivery", oldest, told)])


def _number(text: str) -> int | None:
    """A number, with a unit or not; ``None`` for *none*."""
    from junctor.app.cli.inputs import Usage

    plain = text.strip().upper().replace(" ", "").replace(",", "")
    if plain == "NONE":
        return None
    unit = _SIZES.get(plain[-2:], 1)
    try:
        return int(float(plain[:-2] if unit > 1 else plain) * unit)
    except (ValueError, OverflowError) as error:
        raise Usage(
            f"'{text}' is no amount: write a number such as 10000 or 2GB, or none."
        ) from error
