"""What a run is started with and what it gives back; the same for API and command line."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from junctor.app.core import Core
from junctor.app.logs import redact_bundle
from junctor.app.running import as_bundles
from junctor.engine.journal import Tag, decode_segment
from junctor.errors import InputInvalid, JunctorError
from junctor.language.blueprint import load
from junctor.language.inputs import inputs_of, read_inputs
from junctor.language.outputs import unpack_outputs
from junctor.ports.catalog import Run, Scenario
from junctor.runtime.flight import segment_aad

__all__ = ["checked", "outputs"]

MOST_SEGMENTS = 64
"""A run with more is not searched for what it returned."""
_RETURNER = "scenario-service:ReturnData"


async def checked(
    core: Core, scenario: Scenario, version: int, value: Any, *, path: str
) -> list[dict[str, Any]] | None:
    """The trigger's bundles of what somebody gave, if the version's inputs can be made of them.

    ``None``: nothing was given, and nothing had to be. ``path`` is where the caller said it.
    `InputInvalid` with the path of each problem.
    """
    bundles = as_bundles(value)
    found = await core.catalog.version(scenario.organization_id, scenario.id, version)
    specs = inputs_of(load(found.blueprint).scenario)
    if specs:
        organization = await core.catalog.organization(scenario.organization_id)
        for position, bundle in enumerate([{}] if bundles is None else bundles):
            place = f"{path}[{position}]" if isinstance(value, list) else path
            try:
                read_inputs(specs, bundle, zone=ZoneInfo(organization.zone))
            except InputInvalid as error:
                raise _placed(error, place) from error
    return bundles


def _placed(error: InputInvalid, place: str) -> InputInvalid:
    problems = [{**each, "path": f"{place}.{each['path']}"} for each in error.params["problems"]]
    return InputInvalid(
        path=f"{place}.{error.params['path']}", reason=error.params["reason"], problems=problems
    )


async def outputs(core: Core, run: Run) -> dict[str, Any] | None:
    """What the run returned, secrets masked; ``None`` if nothing.

    From its stored answer, and once that is forgotten from its journal.
    """
    organization_id = run.organization_id
    try:
        version = await core.catalog.version(organization_id, run.scenario_id, run.version)
    except JunctorError:  # the scenario was deleted: its operations still show it
        return None
    if _RETURNER not in version.blueprint:
        return None
    answer = await core.catalog.answer(organization_id, run.id)
    found = None
    if answer is not None:
        found = unpack_outputs(answer.status, answer.headers, answer.body)
    if found is None and run.segments <= MOST_SEGMENTS:
        found = await _recorded(core, run)
    return None if found is None else redact_bundle(found)


async def _recorded(core: Core, run: Run) -> dict[str, Any] | None:
    organization_id = run.organization_id
    keyring = await core.vault.keyring(organization_id)
    segments = await core.catalog.segments(organization_id, run.id, limit=MOST_SEGMENTS)
    for segment in segments:
        blobs = {
            name: await core.blobs.get(organization_id, run.id, name) for name in segment.blobs
        }
        aad = segment_aad(organization_id, run.id, segment.seq)
        for record in decode_segment(keyring.open(segment.data, aad), blobs):
            if record[0] == Tag.ANSWER and record[5]:
                return unpack_outputs(record[6], record[7], record[8])
    return None
