"""Versions of a scenario: compared, and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from junctor.app import scenarios as service
from junctor.app.bindings import BINDINGS, PREFIXES
from junctor.app.core import Core
from junctor.language import ids
from junctor.language.blueprint import load
from junctor.language.lossless import plain
from junctor.language.versions import Comparison, compare
from junctor.ports.catalog import Scenario, Version

__all__ = ["as_record", "compared", "restore"]


async def compared(
    core: Core, scenario: Scenario, old: int | None = None, new: int | None = None
) -> tuple[int, int, Comparison]:
    """What is different in version ``new`` (the draft) from ``old``, and which these were.

    Without ``old`` it is the published version, or the one before ``new`` if that is the same.
    `NotFound` if there is no such version.
    """
    after = new if new is not None else scenario.draft
    before = old if old is not None else scenario.published
    if before is None or (old is None and before == after):
        before = max(1, after - 1)
    first, second = [
        await core.catalog.version(scenario.organization_id, scenario.id, number)
        for number in (before, after)
    ]
    found = compare(
        load(first.blueprint).scenario,
        load(second.blueprint).scenario,
        _bound(first),
        _bound(second),
    )
    return before, after, found


async def restore(
    core: Core,
    scenario: Scenario,
    version: int,
    *,
    actor: str,
    publish: bool = False,
    revision: int | None = None,
) -> service.Draft:
    """Makes a copy of a version the draft, and on request the version that runs.

    What its modules were bound to and is there no more is missing in it, as on import; then it is
    not published (`Misconfigured` at activation says what to choose).
    """
    draft = await service.save_draft(
        core,
        scenario.organization_id,
        scenario,
        actor=actor,
        of_version=version,
        revision=revision,
    )
    if publish and not draft.missing:
        made = draft.scenario
        saved = await core.catalog.publish(
            made.organization_id, made.id, actor=actor, version=made.draft, revision=made.revision
        )
        draft = service.Draft(saved, draft.missing, draft.problems, draft.report, draft.wants)
    return draft


def as_record(old: int, new: int, found: Comparison) -> dict[str, Any]:
    """A comparison as plain data, as the API and ``--json`` show it."""
    return {
        "old": old,
        "new": new,
        "same": found.same,
        "added": [asdict(each) for each in found.added],
        "removed": [asdict(each) for each in found.removed],
        "moved": [{"from": asdict(was), "to": asdict(now)} for was, now in found.moved],
        "changed": [plain(asdict(each)) for each in found.changed],
        "scenario": [plain(asdict(each)) for each in found.scenario],
        "bindings": [asdict(each) for each in found.bindings],
    }


def _bound(version: Version) -> Mapping[str, Mapping[str, str]]:
    """A version's bindings with ids as people see them."""
    return {
        name: {
            module: ids.show(PREFIXES[kind], UUID(thing))
            for module, thing in version.bindings.get(name, {}).items()
        }
        for kind, name in BINDINGS.items()
        if version.bindings.get(name)
    }
