"""Which volumes a process watches, by its settings."""

from __future__ import annotations

from pathlib import Path

from junctor.app.settings import Settings
from junctor.runtime.disk import Disk

__all__ = ["disk_of"]


def disk_of(settings: Settings) -> Disk:
    """The data directory; the database's volume, if it is ours or the settings say where."""
    paths: dict[str, Path] = {"the data directory": settings.data_dir}
    if settings.database_disk is not None:
        paths["the database"] = settings.database_disk
    elif settings.database_url is None:
        paths["the database"] = settings.data_dir / "postgres"
    return Disk(paths, soft=settings.disk_soft, hard=settings.disk_hard)
