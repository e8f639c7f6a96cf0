"""Calls of other scenarios: each operation that calls starts one run, however often it asks.

The called run's id is made of the caller's id and address, so that a caller that is replayed after
a crash finds the run it started (docs/adr/0021).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.adapters.postgres.calls import Callee, Ended, PostgresCalls
from junctor.engine.commands import Address
from junctor.errors import BundleInvalid, InputInvalid, Misconfigured, NotFound, ScenarioFailed
from junctor.language import ids
from junctor.language.asks.scenarios import CallScenario
from junctor.language.blueprint import load
from junctor.language.connector import Bundle
from junctor.language.expressions import Scope, compile_value
from junctor.language.inputs import inputs_of, read_inputs
from junctor.language.outputs import unpack_outputs
from junctor.language.values import to_text
from junctor.runtime.envelope import called_by, depth_of, pack_lines, pack_manual
from junctor.runtime.hooks import plain_key
from junctor.runtime.services import Asking

__all__ = ["DEEPEST", "call", "child_id"]

DEEPEST = 10
"""Calls within calls."""

_KEPT = 500


def child_id(run_id: UUID, address: Address, number: int = 0) -> UUID:
    """The id of the run that an operation starts: the same on every replay and retry.

    A UUIDv7 of the caller's millisecond, so that a partition is found from it. ``number`` counts
    called runs that were discarded.
    """
    return ids.derived(run_id, *address[:3], number)


async def call(ask: CallScenario, asking: Asking) -> dict[str, Any]:
    """Starts the run, or finds the one that this operation started before; see `CallScenario`."""
    organization_id, target = asking.organization_id, _target(ask, asking)
    calls = PostgresCalls(asking.tools.line)
    again = asking.address.attempt > 0
    number = 0
    while True:
        run_id = child_id(asking.caller or asking.run_id, asking.address, number)
        callee = await calls.callee(organization_id, target, run_id)
        if callee is None:
            raise Misconfigured(
                f"Module {asking.address.module} calls {ids.show('scn', target)}, which is not "
                "there; choose another scenario for it."
            )
        if not (again and callee.state == "discarded" and number < asking.address.attempt):
            break
        number += 1  # a person gave it up, and then had this operation done again
    if callee.state is None and ask.wait:
        await _check_line(calls, asking, target, callee, ask.data)
    if callee.state is None and not callee.stored:
        await _begin(calls, asking, target, run_id, callee, ask)
    elif again and ask.wait and callee.state == "incomplete":
        # It goes on from its journal, as this run does: what it had done is not done again.
        await calls.resume(organization_id, run_id)
    shown = ids.show("run", run_id)
    if not ask.wait:
        return {"run": shown, "data": {}}
    ended = await asking.tools.ends.wait(
        organization_id, run_id, parent=asking.run_id, limit=ask.limit
    )
    if ended is None:
        raise ScenarioFailed(
            run=shown,
            reason=f"it is still running after {ask.limit:g} s, and goes on by itself. "
            "Retry this run when that one has ended",
        )
    return {"run": shown, "data": await _data(ended, shown, asking, target, callee)}


async def _check_line(
    calls: PostgresCalls, asking: Asking, target: UUID, callee: Callee, data: Bundle
) -> None:
    """`Misconfigured` if a run that is called would not begin before one that waits for it: this
    one, or one of those that wait for this one.
    """
    own = asking.line if target == asking.scenario_id else None
    above = [run for scenario, run in asking.lines if scenario == target]
    if (own is None and not above) or callee.published is None:
        return
    known = await _known(asking, target, callee.published)
    try:
        key = known.order_key(read_inputs(known.specs, data, zone=known.zone, strict=False))
    except InputInvalid:  # which starting it says better
        return
    if key == own:
        who = "its own scenario"
    else:
        standing = await calls.standing(asking.organization_id, above) if above else {}
        ahead = next((run for run in above if standing.get(run) == key), None)
        if ahead is None:
            return
        who = f"'{callee.name}', and {ids.show('run', ahead)} of it waits for this one"
    keyed = key.startswith("k:")
    what = "runs of one order key" if keyed else "runs"
    mend = "call it with another order key" if keyed else "switch off sequential processing"
    raise Misconfigured(
        f"Module {asking.address.module} waits for a run of {who}. The {what} of that scenario "
        f"follow one another: it would wait for ever. Let it not wait, or {mend}."
    )


async def _begin(
    calls: PostgresCalls,
    asking: Asking,
    target: UUID,
    run_id: UUID,
    callee: Callee,
    ask: CallScenario,
) -> None:
    module, data = asking.address.module, ask.data
    depth = depth_of(asking.actor) + 1
    if depth > DEEPEST:
        raise Misconfigured(
            f"Module {module} would be the call number {depth} within one another; "
            f"{DEEPEST} are allowed. Does a scenario call itself without end?"
        )
    if not callee.active or callee.published is None:
        raise Misconfigured(
            f"Module {module} calls '{callee.name}' ({ids.show('scn', target)}), which is not "
            "active; activate it."
        )
    known = await _known(asking, target, callee.published)
    try:
        inputs = read_inputs(known.specs, data, zone=known.zone, strict=False)
    except InputInvalid as error:
        raise BundleInvalid(
            field=f"data.{error.params['path']}", reason=error.params["reason"]
        ) from error
    options: dict[str, Any] = {"trigger": "call"}
    lines = asking.lines
    if asking.line is not None:
        lines = (*lines, (asking.scenario_id, asking.run_id))
    if ask.wait and lines:
        options["lines"] = pack_lines(lines)
    await calls.begin(
        asking.organization_id,
        target,
        run_id,
        order_key=known.order_key(inputs),
        payload=pack_manual(
            [data],
            version=0,
            actor=called_by(asking.run_id, depth),
            options=options,
        ),
    )


def _target(ask: CallScenario, asking: Asking) -> UUID:
    bound = asking.bound("scenarios")
    if bound is not None:
        return bound
    if isinstance(ask.scenario, str) and ask.scenario.startswith("scn_"):
        try:
            return ids.read("scn", ask.scenario)
        except NotFound as error:
            raise Misconfigured(f"Module {asking.address.module}: {error.message}.") from error
    raise Misconfigured(
        f"Module {asking.address.module} calls the scenario {ask.scenario!r} of where it was "
        "exported; choose one of yours for it."
    )


async def _data(ended: Ended, shown: str, asking: Asking, target: UUID, callee: Callee) -> Bundle:
    if ended.state == "finished":
        if ended.answer is not None:
            answer = ended.answer
            return unpack_outputs(answer.status, answer.headers, answer.body) or {}
        if ended.old and (await _known(asking, target, callee.published)).returns:
            raise ScenarioFailed(
                run=shown,
                reason="it has finished, but what it returned is not kept any more. Discard "
                "this run, or replay it",
            )
        return {}
    if ended.state == "discarded":
        # With an error if its own handler rolled it back, or if it was given up after one.
        why = str((ended.error or {}).get("message") or "").strip()
        raise ScenarioFailed(
            run=shown,
            reason=f"it was given up{f' ({why})' if why else ''}. Retry this run to call it anew",
            cause=(ended.error or {}).get("type"),
        )
    if ended.state == "uncertain":
        raise ScenarioFailed(
            run=shown, reason="the outcome of one of its operations is unknown. Settle that first"
        )
    error = ended.error or {}
    raise ScenarioFailed(
        run=shown, reason=str(error.get("message") or "it stopped"), cause=error.get("type")
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a caller must know of a version."""

    specs: tuple[Mapping[str, Any], ...]
    zone: ZoneInfo
    returns: bool
    """Whether it may return data."""
    key: Callable[[list[Any]], Any] | None
    """Its order key, of an env with the trigger's bundle in slot 1."""

    def order_key(self, inputs: Bundle) -> str:
        """As a hook's delivery gets it; nothing if it can't be told, which the run will say."""
        if self.key is None:
            return ""
        now = datetime.now(UTC)
        scope = Scope(now=lambda: now, random=lambda: 0.0, uuid=lambda: "", zone=self.zone)
        try:
            text = to_text(self.key([scope, inputs]))
        except Exception:  # whatever its mapping stumbles over, the run says it better
            return ""
        return f"k:{plain_key(text)}" if text else ""


_versions: OrderedDict[tuple[UUID, UUID, int], _Known] = OrderedDict()
"""Versions never change; the organisation's zone is a default for dates without one."""


async def _known(asking: Asking, scenario_id: UUID, version: int | None) -> _Known:
    key = (asking.organization_id, scenario_id, version or 0)
    known = _versions.get(key)
    if known is None:
        rows = await asking.tools.line.fetch(
            "version",
            {"organization": key[0], "scenario": scenario_id, "version": key[2]},
        )
        if not rows:
            raise NotFound(what=f"Version {version} of {ids.show('scn', scenario_id)}")
        scenario = load(rows[0][0]).scenario
        order = scenario.settings.order_key
        first = scenario.flow[0].id if scenario.flow else 0
        known = _versions[key] = _Known(
            specs=inputs_of(scenario),
            zone=ZoneInfo(rows[0][3]),
            returns=any(
                each.module == "scenario-service:ReturnData" for each in scenario.modules()
            ),
            key=compile_value(order, {first: 1}) if order else None,
        )
        while len(_versions) > _KEPT:
            _versions.popitem(last=False)
    return known
