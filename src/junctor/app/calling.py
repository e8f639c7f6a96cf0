"""One module, called for real: bound, signed, sent, its bundles returned. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from junctor.app.core import Core
from junctor.engine.commands import Address
from junctor.errors import Misconfigured, NotFound, Unsupported
from junctor.language import forms
from junctor.language.connector import Ask, Bundle, Effect, ModuleDef, Request
from junctor.runtime.effects import perform
from junctor.runtime.outcomes import refusal
from junctor.runtime.services import Asking

__all__ = ["Called", "call_module"]


@dataclass(frozen=True, slots=True)
class Called:
    """What a call gave."""

    module: str
    effect: Effect
    bundles: list[Bundle]
    requests: int
    bytes: int
    """Of the answers' bodies."""


async def call_module(
    core: Core,
    organization_id: UUID,
    module: ModuleDef,
    arguments: Mapping[str, Any],
    *,
    connection_id: UUID | None,
) -> Called:
    """The module's bundles. Errors are those that a run would meet."""
    if module.kind not in {"action", "search", "transform"}:
        raise Unsupported(
            f"{module.id} is a {module.kind}; actions, searches and transforms can be called."
        )
    if module.kind == "transform" and module.raw:
        made = module.function(dict(arguments), dict(arguments))
        return Called(module.id, module.effect, _bundles(made), 0, 0)
    values = forms.bind(module, dict(arguments), dict(arguments))
    effect = module.effect_of(values) if module.effect_of is not None else module.effect
    if module.kind == "transform":
        return Called(module.id, effect, _bundles(module.function(**values)), 0, 0)
    connector = core.registry.connector(module.connector)
    needs = connector is not None and bool(connector.connections)
    if needs and connection_id is None:
        raise Misconfigured(f"{module.id} needs a connection of '{module.connector}'.")
    account = await core.accounts.get(organization_id, connection_id) if connection_id else None
    if account is not None and account.connector.name != module.connector:
        raise NotFound(
            f"That connection is of '{account.connector.name}', not '{module.connector}'."
        )
    if module.transactional:
        raise Unsupported(f"{module.id} works on what a run keeps; it can't be called by itself.")
    nobody = UUID(int=0)
    asking = Asking(
        tools=core.services.tools,
        organization_id=organization_id,
        scenario_id=nobody,
        run_id=core.ids.new(),
        address=Address(0, 0, ()),
        parameters=dict(arguments),
        account=account,
    )
    requests = size = 0

    async def send(request: Request | Ask, _step: int) -> Any:
        nonlocal requests, size
        if isinstance(request, Ask):
            return await core.services.do(request, asking)
        requests += 1
        if account is None:
            response = await core.transport.send(request)
        else:
            response = await core.accounts.send_as(account, request)
        size += len(response.body)
        if request.raises and not 200 <= response.status < 300:
            raise refusal(connector, response, effect)
        return response

    bundles = await perform(module, values, send)
    return Called(module.id, effect, bundles, requests, size)


def _bundles(made: Any) -> list[Bundle]:
    return [dict(bundle) for bundle in ([made] if isinstance(made, Mapping) else made)]
