"""Backups that are made by themselves, at the times of ``JUNCTOR_BACKUP_SCHEDULE``.

A job like any other of the installation: done once per turn, by one of its workers, on that one's
disk. One that fails is a notice to every organisation, as all of them would lose by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from junctor.app.backup import make_backup
from junctor.app.backup_files import prune
from junctor.app.core import Core
from junctor.errors import JunctorError
from junctor.runtime.maintenance import Chore
from junctor.runtime.notices import Notices

__all__ = ["back_up", "chores_of"]

log = structlog.get_logger(__name__)


def chores_of(core: Core) -> list[Chore]:
    """The job, if the setting says when."""
    if not core.settings.backup_schedule:
        return []

    async def backup(timestamp: int) -> Mapping[str, int]:
        return {"made": int(await back_up(core, at=timestamp))}

    return [Chore("backup", core.settings.backup_schedule, backup)]


async def back_up(core: Core, *, at: int = 0) -> bool:
    """Makes one and removes those that are too many; whether it is there. Never raises."""
    settings = core.settings
    try:
        made = await make_backup(settings, core.url, reason="schedule")
        old = await asyncio.to_thread(prune, settings.backups, "schedule", settings.backup_keep)
    except Exception as error:
        reason = error.message if isinstance(error, JunctorError) else str(error)
        log.error("backup.failed", error=reason, at=at)  # noqa: TRY400 - the reason says it all
        await _tell(core, reason or type(error).__name__)
        return False
    log.info("backup.made", name=made.folder.name, bytes=made.bytes, removed=len(old), at=at)
    return True


async def _tell(core: Core, reason: str) -> None:
    notices = Notices(core.services.tools.line)
    for organization in await core.catalog.organizations():
        await notices.add(
            "backup_failed",
            organization.organization_id,
            subject=str(core.settings.backups),
            params={"reason": reason},
        )
