"""Numbered events, sent through the hooks, and what was said to each.

Of every four events three have an ``Idempotency-Key``. Of those, their sender tries again until one
is acknowledged, as vendors do; the fourth has none and is sent once, so that it may be lost on the
way, but not once it was acknowledged. Where order is promised, the next event of a line leaves
only when the one before was acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import aiohttp

from torture.rig import Rig
from torture.scenarios import Hook

__all__ = ["Event", "Load"]

CLIENT_SECONDS = 30.0
MOST_WAITING = 400
"""Events on their way at once; beyond that the sender is late, and says so."""
IN_LINE = 1.0
"""Events a second at most in a line."""


@dataclass(slots=True)
class Event:
    """One event: what was sent, and how it was taken."""

    number: int
    hook: Hook
    line: str
    """Events of one hook and line must have their effects in the order of their numbers."""
    key: str | None
    begun: float
    acknowledged: float | None = None
    statuses: list[int] = field(default_factory=list)
    """Every answer; 0: the connection ended without one."""


class Load:
    """Sends at a rate, to any server that answers, until told to stop."""

    def __init__(
        self,
        rig: Rig,
        hooks: Sequence[Hook],
        *,
        first: int = 1,
        patience: float = CLIENT_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.rig = rig
        self.hooks = list(hooks)
        self._patience = patience
        """Seconds after which a sender gives up; a try that it gave up may still be taken."""
        self._most_waiting = most_waiting
        self._draw = random.Random(f"load {first}")
        self.events: dict[int, Event] = {}
        self.padding = ""
        self.stopped = False
        self.pinned = False
        """Whether each line keeps to one server, as order is kept by each server's spool."""
        self.late = 0.0
        """Seconds that the sender was behind at most."""
        self._next = first
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: dict[tuple[str, str], asyncio.Queue[Event]] = {}
        self._server = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._most_waiting),
            timeout=aiohttp.ClientTimeout(total=self._patience, sock_connect=2),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._session is not None
        await self._session.close()

    @property
    def acknowledged(self) -> list[Event]:
        """Those that were."""
        return [event for event in self.events.values() if event.acknowledged is not None]

    async def run(self, rate: float, *, seconds: float | None = None) -> None:
        """Sends so many a second until `stop`, or for so long; all have been answered then.

        Where order is promised a hook gets at most `IN_LINE` a second of each line, the others get
        the rest: one after another is as slow as the vendor is, and a line stands while its worker
        is dead.
        """
        begun = time.monotonic()
        even = rate / len(self.hooks)
        shares = [
            min(even, IN_LINE * (each.keys or 1)) if each.keys or each.ordered else even
            for each in self.hooks
        ]
        free = sum(1 for each in self.hooks if not (each.keys or each.ordered))
        rest = rate - sum(shares)
        if free:
            shares = [
                share if hook.keys or hook.ordered else share + rest / free
                for share, hook in zip(shares, self.hooks, strict=True)
            ]
        sent = 0
        while not self.stopped and (seconds is None or time.monotonic() - begun < seconds):
            ahead = begun + sent / rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            else:
                self.late = max(self.late, -ahead)
                await asyncio.sleep(0)
            while len(self._tasks) > self._most_waiting + len(self._lines):
                await asyncio.sleep(0.01)
            self.send(self._draw.choices(self.hooks, shares)[0])
            sent += 1
        await self.finish()

    async def some(self, count: int, hook: Hook | None = None) -> list[Event]:
        """Sends so many as fast as they are taken; all have been answered when it returns."""
        made = []
        for at in range(count):
            made.append(self.send(hook or self.hooks[at % len(self.hooks)]))
            if len(self._tasks) > 64:
                await asyncio.sleep(0.01)
        await self.finish()
        return made

    def stop(self) -> None:
        """No new events; those that are tried again still are."""
        self.stopped = True

    async def finish(self) -> None:
        """Waits until every event was answered as it wants to be."""
        for queue in self._lines.values():
            await queue.join()
        lines = {task for task in self._tasks if task.get_name().startswith("line")}
        while waiting := self._tasks - lines:
            await asyncio.wait(waiting)

    def send(self, hook: Hook) -> Event:
        """Sends the next event, in its line if it is in one."""
        event = self.make(hook)
        if not event.line:
            self._spawn(self._deliver(event), "event")
            return event
        place = (hook.path, event.line)
        if place not in self._lines:
            self._lines[place] = asyncio.Queue()
            self._spawn(self._in_line(self._lines[place]), f"line {place}")
        self._lines[place].put_nowait(event)
        return event

    def make(self, hook: Hook) -> Event:
        """The next event, for somebody else to send."""
        number = self._next
        self._next += 1
        keyed = hook.ordered or bool(hook.keys) or number % 4 != 0
        line = "all" if hook.ordered else f"caller {number % hook.keys}" if hook.keys else ""
        event = Event(number, hook, line, f"event {number}" if keyed else None, time.monotonic())
        self.events[number] = event
        return event

    def _spawn(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)  # type: ignore[arg-type]  # a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_line(self, queue: asyncio.Queue[Event]) -> None:
        while True:
            event = await queue.get()
            await self._deliver(event)
            queue.task_done()

    async def _deliver(self, event: Event) -> None:
        pause = 0.1
        while True:
            status = await self._post(event)
            event.statuses.append(status)
            if 200 <= status < 300:
                event.acknowledged = event.acknowledged or time.monotonic()
                return
            if event.key is None:
                return
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def again(self, event: Event) -> int:
        """Sends a copy of an event that has a key; it counts as acknowledged if a copy is."""
        assert event.key is not None
        status = await self._post(event)
        event.statuses.append(status)
        if 200 <= status < 300 and event.acknowledged is None:
            event.acknowledged = time.monotonic()
        return status

    async def _post(self, event: Event) -> int:
        """One try; 0 if there was no answer."""
        assert self._session is not None
        living = [server for server in self.rig.servers if server.alive] or self.rig.servers
        self._server += 1
        turn = self._server
        if self.pinned and event.line:
            living, turn = self.rig.servers, zlib.crc32(f"{event.hook.path} {event.line}".encode())
        port = living[turn % len(living)].port
        body = json.dumps({"n": event.number, "key": event.line, "padding": self.padding})
        headers = {"content-type": "application/json"}
        if event.key is not None:
            headers["idempotency-key"] = event.key
        if event.hook.secret:
            mac = hmac.new(event.hook.secret.encode(), body.encode(), hashlib.sha256)
            headers["x-signature-256"] = f"sha256={mac.hexdigest()}"
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with self._session.post(
                f"http://127.0.0.1:{port}{event.hook.path}", data=body, headers=headers
            ) as answer:
                await answer.read()
                return answer.status
        return 0

    def answers(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(status for event in self.events.values() for status in event.statuses)
