"""Which connectors this installation offers."""

from __future__ import annotations

from junctor.app.settings import Settings
from junctor.runtime.documents import Documents
from junctor.runtime.registry import Registry

__all__ = ["registry_of"]


def registry_of(settings: Settings | None = None) -> Registry:
    """Ours, those of installed packages, and those made of OpenAPI documents."""
    found = settings if settings is not None else Settings.from_env()
    return Registry.load(Documents(found.connectors_dir))
