"""The routed application: every resource under ``/api/v1``, gated, with one error shape."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from typing import Any, Self

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute
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


RESOURCES = (
    organization,
    connectors,
    connections,
    scenarios,
    schedules,
    versions,
    control,
    hooks,
    app_hooks,
    runs,
    again,
    history,
    erasures,
    repairs,
    waits,
    data_stores,
    variables,
    data_structures,
    notifications,
    quotas,
)


class _Resources(Router):
    """What is under ``/api/v1``, made for one application and put into it as it is.

    Litestar copies a router with all that is in it whenever it is put into another one, as it might
    be put into several; for a hundred handlers that was a seventh of a server's start.
    """

    def __deepcopy__(self, _memo: object) -> Self:
        return self


def _routes() -> list[Any]:
    handlers = [each for resource in RESOURCES for each in _handlers(resource.router)]
    return [healthz, readyz, openapi_document, _Resources("/api/v1", route_handlers=handlers)]


def _handlers(router: Router) -> Iterator[HTTPRouteHandler]:
    """A resource's own, each with what the resource's router says of all."""
    for route in router.routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            _ = handler.parsed_fn_signature  # kept by it, and so read once however many are made
            own = copy(handler)
            own.paths = {route.path}
            own.tags = router.tags
            yield own


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
