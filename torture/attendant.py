"""The operator: the person who looks, played by the rig."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

import psycopg

from junctor.app.again import opened
from junctor.app.core import Core, open_core
from junctor.app.running import resolve
from junctor.app.settings import Settings
from junctor.app.settling import settle
from junctor.errors import JunctorError
from torture.outcome import Failed
from torture.rig import Rig

__all__ = ["Operator", "number_of"]

MOST_RUNS = 500
"""Looked after at a time."""


class _File:
    """What the vendor did, read on from where it was left."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._at = 0
        self.done: Counter[tuple[int, str]] = Counter()

    def read(self) -> None:
        """What has come since."""
        with self._rig.effects_file.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                number, step, _ = line.decode().split(" ")
                self.done[int(number), step] += 1
                self._at += len(line)


class Operator:
    """Settles uncertain runs by what the vendor did, resumes stopped ones.

    Seeing an effect in the vendor's file, it says *done*. It says *not done* only when nobody can
    do it any more: no worker that was asleep or cut off when the run became uncertain, and not the
    vendor, which is asked what it is still at. What it touched is remembered, so the table still
    says how runs ended by themselves.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        patience: float = 3.0,
        resumes: bool = True,
        steps: Mapping[int, str] | None = None,
        scenarios: Collection[UUID] | None = None,
    ) -> None:
        self.rig = rig
        self.steps = steps or {3: "a", 4: "b"}
        """Which effect is whose, by the module's number."""
        self.resumes = resumes
        """Whether stopped runs are resumed, too."""
        self.patience = patience
        """Seconds after a run became uncertain until the vendor's file is believed."""
        self.scenarios = None if scenarios is None else list(scenarios)
        """Whose runs are looked after; ``None``: all."""
        self.touched: dict[UUID, str] = {}
        self.put_off = 0
        """How often a *not done* had to wait for somebody who could still do it."""
        self._file = _File(rig)
        self._looking = asyncio.Lock()

    async def work(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(1.0)

    @property
    def states(self) -> list[str]:
        """Those in which a run is to be brought to its end."""
        return ["uncertain", "incomplete"] if self.resumes else ["uncertain"]

    async def look(self) -> int:
        """Once: settles and resumes what can be; how many were looked at. One look at a time: two
        that read the vendor's file together would each read over a part of it.
        """
        async with self._looking:
            return await self._look()

    async def _look(self) -> int:
        try:
            with self.rig.db() as db:
                ripe = db.execute(
                    "select r.organization_id, r.id, r.state, r.failed_module,"
                    " extract(epoch from now() - r.ended_at)::float, i.parked_at is not null,"
                    " coalesce(r.name, (select substr(s.key, 7) from seen s"
                    " where s.organization_id = r.organization_id and s.delivery_id = r.id"
                    " and s.key like 'event %%'))"
                    " from runs r left join inbox i using (organization_id, id)"
                    " where r.state = any(%s) and r.ended_at < now() - make_interval(secs => %s)"
                    " and (%s::uuid[] is null or r.scenario_id = any(%s)) limit %s",
                    (self.states, self.patience, self.scenarios, self.scenarios, MOST_RUNS),
                ).fetchall()
            now = time.monotonic()
            if not ripe:
                return 0
            pending = await asyncio.to_thread(self._pending)
            await asyncio.to_thread(self._file.read)  # after the vendor said what it is still at
            settings = Settings.from_env({**self.rig.env, "JUNCTOR_DATABASE_URL": self.rig.url})
            async with open_core(settings, self.rig.url) as core:
                for organization, run, state, failed, age, parked, name in ripe:
                    known = name and name.isdigit()
                    number = int(name) if known else await number_of(core, organization, run)
                    effect = (number, self.steps.get(failed, ""))
                    done = bool(self._file.done[effect])
                    possible = (
                        number < 0  # an effect of nobody knows whom
                        or effect in pending
                        or not self.rig.absences.settled(now - age)
                    )
                    if state == "uncertain" and not done and possible:
                        self.put_off += 1
                        continue
                    self.touched.setdefault(run, "parked" if parked else str(state))
                    await self._one(core, organization, run, state, done=done)
        except (psycopg.Error, OSError, JunctorError, Failed):
            return 0  # the database is away; the next look is soon
        return len(ripe)

    def _pending(self) -> set[tuple[int, str]]:
        """What the vendor has been asked for and may still do.

        It answers from the loop that reads requests, so it has read by then what came before.
        """
        assert self.rig.sink is not None
        url = f"http://127.0.0.1:{self.rig.sink.port}/pending/x"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return {(int(number), str(step)) for number, step in json.loads(answer.read())}

    async def _one(
        self, core: Core, organization: UUID, run: UUID, state: str, *, done: bool
    ) -> None:
        try:
            if state == "incomplete":
                await resolve(core, organization, run, actor="torture", verb="retry")
                return
            await settle(
                core, organization, run, "done" if done else "not-done",
                actor="torture", bundle={"ok": True},
            )  # fmt: skip
        except JunctorError:
            return  # somebody was faster, or it is under way


async def number_of(core: Core, organization: UUID, run: UUID) -> int:
    """Whose run it is, by what its trigger gave it; -1 if that can't be told.

    For runs that ended before they had a name, of events without a key.
    """
    try:
        source = await opened(core, organization, run)
        return int(source.past.bundles[0]["n"])
    except (JunctorError, IndexError, KeyError, TypeError, ValueError):
        return -1
