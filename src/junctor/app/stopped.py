"""Why a run stopped: the operation, what it was about to send or sent, and what it could see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from junctor.app.again import Source, opened, prepared_of
from junctor.app.core import Core
from junctor.app.logs import redact, redact_bundle
from junctor.engine.commands import Address, Call
from junctor.errors import Conflict, JunctorError
from junctor.language import forms
from junctor.language.connector import Ask, Request
from junctor.runtime.doubt import doubt_in
from junctor.runtime.handles import with_handle
from junctor.runtime.held import Held, held
from junctor.runtime.plans import Prepared
from junctor.runtime.repeats import Repeat
from junctor.runtime.retold import reached

__all__ = ["Stopped", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What somebody must know to decide. Secrets are masked."""

    run: str
    state: str
    module: int
    name: str
    cycle: int
    path: list[int]
    attempt: int
    error: Any
    again_at: datetime | None
    """When it is tried again by itself."""
    sent_at: datetime | None
    """Of an unknown outcome: when it was about to be sent."""
    input: Any
    """The module's evaluated mapping; ``None`` if that can't be told."""
    request: Any
    """The request that comes of it, without what a connection adds."""
    attempt_id: str | None
    """Of an unknown outcome: what a word about it names."""
    doubted: int
    """How many other attempts of the run were in doubt before."""
    probe: bool
    """Whether the vendor can be asked if it happened."""
    bundles: list[dict[str, Any]] = field(default_factory=list)
    """What the modules before it gave on this way: ``module``, ``name``, ``path``, ``bundle``,
    ``edited``. These can be edited.
    """


async def stopped(core: Core, organization_id: UUID, run_id: UUID) -> Stopped:
    """What stopped the run. `Conflict` if nothing did, or that was before any operation."""
    source = await opened(core, organization_id, run_id)
    run, at = source.run, source.past.failed
    if run.state not in {"incomplete", "uncertain"} or at is None:
        raise Conflict(
            f"{source.shown} is {run.state}; no operation of it has stopped it.",
            run=source.shown,
            state=run.state,
        )
    doubt = doubt_in(source.pieces) if run.state == "uncertain" else None
    call: Call | None = None
    seen: Mapping[int, Held] = {}
    names: dict[int, str] = {}
    zone = None
    try:
        scenario = await core.catalog.scenario(organization_id, run.scenario_id)
        prepared = await prepared_of(core, scenario, run.version)
    except JunctorError:  # its scenario was deleted, or a connector: the journal alone remains
        prepared = None
    if prepared is not None:
        zone = prepared.zone
        names = {node.id: node.module for node in prepared.plan.nodes.values()}
        seen = held(prepared.plan, source.past, source.records(), at)
        call = _call(source, prepared, at)
    arguments = call.arguments if call is not None else doubt.arguments if doubt else None
    request = _request(call, run_id, zone) if call is not None else None
    recorded = dict(doubt.request) if doubt is not None else {}
    if request is not None or recorded:
        request = {**(request or {}), **recorded}
    return Stopped(
        run=source.shown,
        state=run.state,
        module=at.module,
        name=names.get(at.module, ""),
        cycle=at.cycle,
        path=list(at.path),
        attempt=at.attempt,
        error=redact(run.error),
        again_at=run.due_at if run.state == "incomplete" else None,
        sent_at=doubt.at if doubt is not None else None,
        input=redact_bundle(arguments),
        request=redact_bundle(request),
        attempt_id=doubt.attempt_id if doubt is not None else None,
        doubted=doubt.earlier if doubt is not None else 0,
        probe=call is not None and call.module.probe is not None,
        bundles=[
            {
                "module": each.module,
                "name": names.get(each.module, ""),
                "cycle": each.cycle,
                "path": list(each.path),
                "bundle": redact_bundle(each.bundle),
                "edited": each.edited,
            }
            for each in seen.values()
        ],
    )


def _call(source: Source, prepared: Prepared, at: Address) -> Call | None:
    """The failed operation, evaluated again of what is recorded before it; nothing is sent."""
    repeat = Repeat(
        past=source.past, prepared=prepared, run_id=source.shown, origin=source.shown,
        detail="full", start=at.module, cycle=at.cycle, way=at.path, same=True,
    )  # fmt: skip
    try:
        segments = list(repeat.segments(source.records()))
        now = source.run.started_at
        return reached(prepared, segments, at[:3], run_id=source.shown, now=now)
    except JunctorError:  # it can't be evaluated: that is what its error says
        return None


def _request(call: Call, run_id: UUID, zone: Any) -> dict[str, Any] | None:
    """The first thing that the module would send."""
    module = call.module
    try:
        given = forms.bind(module, call.arguments or {}, call.parameters, zone=zone)
        made = module.function(**with_handle(module, given, run_id, call.address))
        if not isinstance(made, Request | Ask):
            flow, made = made, next(made)
            flow.close()
    except Exception:  # a connector's code on arguments that it refuses: there is no request then
        return None
    if isinstance(made, Ask):
        return {"asks": type(made).__name__, **_shown(made)}
    shown: dict[str, Any] = {"method": made.method, "url": made.url}
    for name in ("query", "json", "form", "body"):
        value = getattr(made, name)
        if value not in (None, (), {}):
            shown[name] = _read(value) if isinstance(value, bytes) else _plain(value)
    return shown


def _read(body: bytes) -> str:
    """A body as text, where it is some; else what it is."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"({len(body):,} bytes)"


def _shown(ask: Ask) -> dict[str, Any]:
    plain = _plain(ask)
    return plain if isinstance(plain, dict) else {}


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=_text, str_keys=True)


def _text(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
