"""Whether this process lives, and whether the installation can work."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, get

from junctor.adapters.postgres.migrate import ready
from junctor.app.api.http import core_of
from junctor.app.core import Core
from junctor.app.living import worker_alive

__all__ = ["healthz", "openapi_document", "readiness", "readyz"]

PATIENCE = 3.0
"""Seconds the database may take to answer."""


@get("/healthz", summary="Is this process alive?", tags=["health"])
async def healthz() -> dict[str, Any]:
    """Always well while the process answers at all."""
    return {"status": "ok"}


@get("/readyz", summary="Can the installation work?", tags=["health"])
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """200 when the database answers, its schema is current and a worker was heard of; else 503."""
    checks = await readiness(core_of(request))
    well = all(checks.values())
    body = {"status": "ok" if well else "not ready", "checks": checks}
    return Response(body, status_code=200 if well else 503)


async def readiness(core: Core) -> dict[str, bool]:
    """Database, migrations, worker: each well or not."""
    checks = {"database": False, "migrations": False, "worker": False}
    try:
        async with asyncio.timeout(PATIENCE):
            async with core.engine.connection() as connection:
                checks["database"] = True
                checks["migrations"] = await ready(connection)
            if checks["migrations"]:
                checks["worker"] = await worker_alive(core)
    except Exception:  # whatever it was, the answer is "not ready"; the log has the reason
        return checks
    return checks


@get("/api/v1/openapi.json", summary="This API as an OpenAPI document", tags=["health"])
async def openapi_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Every route with its parameters and answers."""
    document: dict[str, Any] = request.app.state.openapi()
    return document
