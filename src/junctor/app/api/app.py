"""The routed application: every resource under ``/api/v1``, gated, with one error shape."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Scope

from junctor.app.api import (
    again,
    app_hooks,
    connections,
    connectors,
    control,
    data_stores,
    data_structures,
    erasures,
    history,
    hooks,
    notifications,
    organization,
    quotas,
    repairs,
    runs,
    scenarios,
    schedules,
    variables,
    versions,
    waits,
)
from junctor.app.api.caller import Caller, Gate
from junctor.app.api.envelope import HANDLERS
from junctor.app.api.health import healthz, openapi_document, readyz
from junctor.app.api.idempotency import Idempotency
from junctor.app.core import Core
from junctor.app.lean import absent
from junctor.language import ids

__all__ = ["build", "openapi"]

LONGEST_BODY = 16 * 1024 * 1024
"""Blueprints are the longest bodies here; deliveries have their own limit at the door."""


def _routes() -> list[Any]:
    resources = Router(
        path="/api/v1",
        route_handlers=[
            organization.router,
            connectors.router,
            connections.router,
            scenarios.router,
            schedules.router,
            versions.router,
            control.router,
            hooks.router,
            app_hooks.router,
            runs.router,
            again.router,
            history.router,
            erasures.router,
            repairs.router,
            waits.router,
            data_stores.router,
            variables.router,
            data_structures.router,
            notifications.router,
            quotas.router,
        ],
    )
    return [healthz, readyz, openapi_document, resources]


def _core(scope: Scope) -> Core:
    core: Core = scope["litestar_app"].state.core
    return core


async def _find(scope: Scope, text: str) -> Caller | None:
    token = await _core(scope).catalog.find_token(text)
    if token is None:
        return None
    return Caller(
        organization_id=token.organization_id,
        token_id=token.id,
        scopes=tuple(token.scopes),
        actor=f"token:{ids.show('tok', token.id)}",
    )


def build(core: Core, ingest: Any) -> Litestar:
    """The application over what is open. ``ingest`` takes runs started by hand."""
    # Litestar loads pydantic, twice over, where it finds it; nothing here is made of it, and it
    # would be a quarter of a second of CPU and 20 MB in every server.
    with absent("pydantic"):
        return Litestar(
            route_handlers=_routes(),
            middleware=[Gate(_find), Idempotency(_core)],
            exception_handlers=HANDLERS,
            openapi_config=None,
            request_max_body_size=LONGEST_BODY,
            state=State({"core": core, "ingest": ingest, "openapi": openapi}),
            logging_config=None,
        )


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    """The OpenAPI document; made at first use, by an application that serves nothing."""
    with absent("pydantic"):
        described = Litestar(
            route_handlers=_routes(),
            openapi_config=OpenAPIConfig(
                title="Junctor",
                version="1",
                description="Scenarios, connections, hooks and runs of a Junctor installation.",
                components=Components(
                    security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
                ),
                security=[{"token": []}],
            ),
            logging_config=None,
        )
    return described.openapi_schema.to_schema()
