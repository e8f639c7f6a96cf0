"""Looking into deliveries before they are stored, for the few hooks whose settings ask for it."""

from __future__ import annotations

import structlog
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.hot import Line
from junctor.adapters.postgres.queries import load
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Delivery
from junctor.ports.inbox import Answered
from junctor.runtime.hooks import Hook

__all__ = ["inspect"]

log = structlog.get_logger(__name__)


async def inspect(hook: Hook, delivery: Delivery, line: Line | None) -> Answered | None:
    """The answer to a delivery that the hook's settings refuse (400); ``None``: go on.

    A hook that is learning keeps the structure of this delivery, and learns no more. Without a
    ``line`` (the database is away) it learns from a later one.
    """
    if line is not None and hook.settings.get("learning") and hook.definition.learn is not None:
        await _learn(hook, delivery, line)
    if hook.definition.check is not None:
        try:
            hook.definition.check(delivery)
        except (DataError, BundleInvalid) as error:
            return Answered(400, (), error.message.encode())
    return None


async def _learn(hook: Hook, delivery: Delivery, line: Line) -> None:
    assert hook.definition.learn is not None
    try:
        structure = hook.definition.learn(delivery)
    except DataError as error:
        log.info("not_learned", hook=str(hook.id), error=error.message)
        return

    async def work(connection: AsyncConnection[tuple[object, ...]]) -> None:
        await connection.execute(
            load("hooks")["hook_learned"],
            {
                "organization": hook.organization_id,
                "id": hook.id,
                "structure": Jsonb(structure),
            },
        )

    await line.run(work)
