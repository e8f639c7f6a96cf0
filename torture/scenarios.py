"""Scenarios that rows run: a hook, a name for the run, and effects at the sink."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from junctor.language.ids import uuid7
from torture.rig import ORGANIZATION, TEAM, Rig

__all__ = ["SECRET", "Hook", "flow", "mixed", "plant", "post", "two_effects"]

SECRET = "torture-signing-secret"
"""What hooks that are signed are signed with."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A planted scenario's door. ``steps``: the effects that a finished run has had, each once."""

    scenario: UUID
    id: UUID
    path: str
    steps: tuple[str, ...]
    ordered: bool = False
    """One event after another, all of them."""
    keys: int = 0
    """One event after another within each of so many callers."""
    secret: str = ""
    """What its deliveries must be signed with."""


def _id() -> UUID:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def post(
    number: int, port: int, fault: str, step: str, *, timeout: float = 20, **flags: Any
) -> dict[str, Any]:
    """A POST to the sink: an effect that must not happen twice."""
    return {
        "id": number,
        "module": "http:ActionSendData",
        "version": 3,
        "parameters": {"handleErrors": True},
        "flags": {"timeout": timeout, **flags},
        "mapper": {
            "url": f"http://127.0.0.1:{port}/{fault}/{step}",
            "method": "post",
            "headers": [],
            "qs": [],
            "bodyType": "raw",
            "contentType": "application/json",
            "data": '{"n": {{1.n}}}',
            "parseResponse": True,
        },
    }


def flow(
    *modules: dict[str, Any],
    order_key: str = "",
    trigger: str = "gateway:CustomWebHook",
    **settings: Any,
) -> str:
    """A blueprint: a hook, the run's name (the event's number), then these."""
    metadata: dict[str, Any] = {"instant": True, "version": 1, "scenario": settings}
    if order_key:
        metadata["junctor"] = {"orderKey": order_key}
    head = [
        {
            "id": 1, "module": trigger, "version": 1,
            "parameters": {"hook": 1}, "mapper": {},
        },
        {
            "id": 2, "module": "scenario-service:NameExecution", "version": 1,
            "parameters": {}, "mapper": {"name": "{{1.n}}"},
        },
    ]  # fmt: skip
    return json.dumps({"name": "torture", "flow": [*head, *modules], "metadata": metadata})


def plant(
    rig: Rig,
    blueprint: str,
    *,
    steps: Sequence[str] = (),
    organization: UUID = ORGANIZATION,
    ordered: bool = False,
    keys: int = 0,
    trigger: str = "gateway:CustomWebHook",
    **settings: Any,
) -> Hook:
    """A published, active scenario behind a hook; ``settings`` are the hook's."""
    scenario, hook, token = _id(), _id(), os.urandom(16).hex()
    with rig.db() as db, db.transaction():
        db.execute(
            "insert into organizations (organization_id, name, created_by)"
            " values (%s, 'torture', 'torture') on conflict do nothing",
            (organization,),
        )
        db.execute(
            "insert into teams (organization_id, id, name, created_by)"
            " values (%s, %s, 'torture', 'torture') on conflict do nothing",
            (organization, TEAM),
        )
        db.execute(
            "insert into scenarios (organization_id, id, team_id, name, active, published,"
            " created_by, updated_by) values (%s, %s, %s, 'torture', true, 1, 't', 't')",
            (organization, scenario, TEAM),
        )
        db.execute(
            "insert into scenario_versions (organization_id, scenario_id, version, blueprint,"
            " created_by) values (%s, %s, 1, %s, 't')",
            (organization, scenario, blueprint),
        )
        db.execute(
            "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector,"
            " kind, token, settings, created_by, updated_by) values"
            " (%s, %s, %s, %s, 1, 'torture', %s, %s, %s, %s, 't', 't')",
            (
                organization, hook, TEAM, scenario, *trigger.split(":"), token,
                json.dumps(settings),
            ),
        )  # fmt: skip
    secret = str(settings.get("signing_secret", ""))
    return Hook(scenario, hook, f"/hook/{token}", tuple(steps), ordered, keys, secret)


def two_effects(
    rig: Rig, fault: str = "brief", *, timeout: float = 20, secret: str = "", **settings: Any
) -> Hook:
    """Event → two effects, each of which must not happen twice."""
    assert rig.sink is not None
    port = rig.sink.port
    text = flow(
        post(3, port, fault, "a", timeout=timeout), post(4, port, fault, "b", timeout=timeout),
        **settings,
    )  # fmt: skip
    signing: dict[str, Any] = {"signing_secret": secret} if secret else {}
    return plant(
        rig, text, steps=("a", "b"), ordered=bool(settings.get("sequential")),
        keys=4 if settings.get("order_key") else 0, **signing,
    )  # fmt: skip


def mixed(
    rig: Rig, count: int, fault: str = "brief", *, timeout: float = 20, signed: bool = False
) -> list[Hook]:
    """So many scenarios: of each five one sequential, one in order by caller, three free, of which
    one wants signatures if ``signed``.
    """
    made = []
    for at in range(count):
        if at % 5 == 0:
            made.append(two_effects(rig, fault, timeout=timeout, sequential=True))
        elif at % 5 == 1:
            made.append(two_effects(rig, fault, timeout=timeout, order_key="{{1.key}}"))
        else:
            secret = SECRET if signed and at % 5 == 2 else ""
            made.append(two_effects(rig, fault, timeout=timeout, secret=secret))
    return made
