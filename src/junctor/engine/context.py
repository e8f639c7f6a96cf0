"""The values of a run: what its mappings may read besides bundles, the same on every replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.engine.commands import Address, Result
from junctor.engine.journal import ENGINE, Detail, Journal, error_record
from junctor.engine.nodes import Path
from junctor.engine.plan import Plan
from junctor.engine.recording import MISSING, Recording
from junctor.errors import Conflict
from junctor.language.expressions import Scope

__all__ = ["Context", "caller_of", "header_of"]


def header_of(
    plan: Plan,
    *,
    run_id: str,
    zone: tzinfo,
    locale: str,
    country: str,
    detail: Detail,
    cycles: int,
) -> dict[str, Any]:
    """What a new run of a plan pins: the first record of its journal."""
    return {
        "engine": ENGINE,
        "run": run_id,
        "scenario": plan.name,
        "version": plan.version,
        "zone": str(zone),
        "locale": locale,
        "country": country,
        "detail": detail,
        "cycles": cycles,
        "pins": plan.pins,  # as it is: every run has one
    }


def caller_of(header: Mapping[str, Any], address: Address | None = None) -> str:
    """The run as which one calls others, so that what was begun is not begun again.

    It is the run itself, or the first of those in whose place it goes on; at the operation where a
    bundle was set aside, the run from which it was: that one has called there. Before there was a
    ``root``, all that came of another run called as that.
    """
    start = header.get("fork") or {}
    if address is not None and "caller" in start:
        at = (start["cycle"], start["module"], tuple(start["path"]))
        if at == address[:3]:
            caller: str = start["caller"]
            return caller
    root: str = header.get("root") or header.get("origin") or header["run"]
    return root


class Context:
    """Clock, randomness, variables and place of one run, pinned by its journal.

    ``now`` is the instant of the first question for it, all through the run and its replays: a run
    that is resumed next week still says what it began to say. Random numbers and UUIDs come from
    the seed and where they are drawn, so that they do not depend on what else was drawn.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        recording: Recording | None,
        *,
        run_id: str,
        clock: Callable[[], datetime],
        seed: bytes,
        variables: Mapping[str, Any],
        zone: tzinfo,
        locale: str,
        country: str,
        cycles: int,
        operations: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._recording = recording
        self._clock = clock
        self._seed = seed
        self._known: dict[str, Any] = {}
        self._at: tuple[Any, ...] = ()
        self._drawn = 0
        self.header: Mapping[str, Any] = recording.header if recording is not None else {}
        pinned = self.header
        if pinned:
            self._check(pinned)
            journal.pin_detail(pinned["detail"])
            if pinned["zone"] != str(zone):
                zone = ZoneInfo(pinned["zone"])
            locale, country = pinned["locale"], pinned["country"]
            cycles = pinned.get("cycles", 1)
        else:
            self.header = header_of(
                plan, run_id=run_id, zone=zone, locale=locale, country=country,
                detail=journal.detail, cycles=cycles,
            )  # fmt: skip
            journal.header(self.header)
        self.cycles = cycles
        if plan.variables:
            variables = self._value("variables", lambda: dict(variables))
        self.scope = Scope(
            now=self._now,
            random=self._random,
            uuid=self._uuid,
            zone=zone,
            locale=locale,
            country=country,
            execution_id=run_id,
            variables=variables,
            operations=operations,
        )

    def _check(self, pinned: Mapping[str, Any]) -> None:
        plan = self._plan
        if pinned["engine"] != ENGINE:
            raise Conflict(what=f"The engine (the run began with {pinned['engine']})")
        if pinned["version"] != plan.version:
            raise Conflict(what=f"The scenario (the run began with version {pinned['version']})")
        for module, (name, version, _) in plan.pins.items():
            before = pinned["pins"].get(module)
            if before is None or before[0] != name or before[1] != version:
                raise Conflict(what=f"Module {module}, {name} (the run began with {before})")

    @property
    def known(self) -> Mapping[str, Any]:
        """The values of the run that were asked for so far."""
        return self._known

    def draw_from(self, module: int, path: Path, part: str) -> None:
        """Says where the next random numbers are drawn."""
        self._at = (module, path, part)
        self._drawn = 0

    def end(self, cycle: int, result: Result) -> None:
        """Records how the run ended, unless that is what was recorded before."""
        failed = result.failed
        record = {
            "cycle": cycle,
            "status": result.status,
            "operations": result.operations,
            "bytes": result.bytes,
            "dropped": result.dropped,
            "error": None if result.error is None else error_record(result.error),
            "failed": failed and [*failed[:2], [*failed.path], failed.attempt],
        }
        recorded = self._recording.finish() if self._recording is not None else None
        if recorded != record or self._journal.written:
            self._journal.end(record)

    def _value(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._known:
            value = self._recording.value(name) if self._recording is not None else MISSING
            if value is MISSING:
                value = make()
                self._journal.value(name, value)
            self._known[name] = value
        return self._known[name]

    def _now(self) -> datetime:
        now: datetime = self._value("now", self._clock)
        return now

    def _draw(self, size: int) -> bytes:
        seed = self._value("seed", lambda: self._seed)
        self._drawn += 1
        place = repr((*self._at, self._drawn)).encode()
        return blake2b(place, key=seed[:64], digest_size=size).digest()

    def _random(self) -> float:
        return (int.from_bytes(self._draw(8), "big") >> 11) / 2.0**53

    def _uuid(self) -> str:
        return str(UUID(bytes=self._draw(16), version=4))
