"""Webhooks as vendors send them: signed or not, sixteen at a time, again until a 2xx.

A delivery is one event for one address. Between attempts it waits by the simulated clock without
holding one of the sixteen places.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from junctor.simulators.clock import Clock

__all__ = ["Attempt", "Deliveries", "HookDelivery", "Retries", "SigningKey", "check_hook_url"]

TIMEOUT = 30.0
"""Real seconds for one attempt."""
ANSWER_KEPT = 64 * 1024
KEPT = 50_000
"""Settled deliveries remembered."""


def check_hook_url(url: object) -> str:
    """A hook address as text; `ValueError` if it isn't ``http://…`` or ``https://…``."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ValueError(f"url: {url!r} is no http or https address")
    return url


class SigningKey:
    """An Ed25519 key pair; drawn at random, or from a seed so that a restart keeps it."""

    def __init__(self, seed: int | None = None) -> None:
        if seed is None:
            self._private = Ed25519PrivateKey.generate()
        else:
            digest = hashlib.sha256(f"junctor simulator signing key {seed}".encode()).digest()
            self._private = Ed25519PrivateKey.from_private_bytes(digest)

    @property
    def public(self) -> str:
        """The public key, SPKI in base64, the form in which HighLevel publishes its own."""
        der = self._private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def sign(self, body: bytes) -> str:
        """The signature over the raw body, in base64."""
        return base64.b64encode(self._private.sign(body)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """``limit`` further attempts, the n-th after ``base · 2ⁿ`` simulated seconds, at most ``cap``,
    each made up to ``jitter`` (a share) shorter.
    """

    limit: int
    base: float = 1.0
    cap: float = 3600.0
    jitter: float = 0.0

    def wait(self, attempt: int, chance: random.Random) -> float:
        """Simulated seconds after the ``attempt``-th failure, counted from 1."""
        full = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return full * (1 - self.jitter * chance.random())


@dataclass(slots=True)
class Attempt:
    """One try of a delivery."""

    at: float
    """Simulated seconds."""
    status: int | None = None
    error: str | None = None


@dataclass(slots=True)
class HookDelivery:
    """One event for one address."""

    id: int
    event: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    key: str = ""
    """What the event is about: a webhookId or callid."""
    status: Literal["pending", "delivered", "failed"] = "pending"
    attempts: list[Attempt] = field(default_factory=list)
    retries: Retries | None = None
    """``None``: the vendor's usual ones."""
    answer: bytes = b""
    """What the last attempt was told, 64 KiB of it at most."""
    answer_type: str = ""

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        return {
            "id": self.id,
            "event": self.event,
            "key": self.key,
            "url": self.url,
            "status": self.status,
            "attempts": [msgspec.to_builtins(attempt) for attempt in self.attempts],
            "body": self.body.decode("utf-8", "replace"),
        }


class Deliveries:
    """Sends events and remembers what became of each."""

    def __init__(
        self, clock: Clock, retries: Retries, *, concurrency: int = 16, seed: int = 1
    ) -> None:
        self._clock = clock
        self.retries = retries
        self._chance = random.Random(seed)
        self._places = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._next_id = 1
        self.sent: dict[int, HookDelivery] = {}

    def send(
        self, event: str, url: str, payload: Any, *, key: str = "", headers: Mapping[str, str] = {}
    ) -> HookDelivery:
        """Starts a delivery of a JSON body. A ``bytes`` payload is sent as it is."""
        delivery = self._made(event, url, payload, key, headers)
        self.spawn(self._deliver(delivery))
        return delivery

    async def ask(
        self, event: str, url: str, payload: Any, *, key: str = "", headers: Mapping[str, str] = {}
    ) -> HookDelivery:
        """Delivers once, for a vendor that acts on the answer, which is there when it returns."""
        delivery = self._made(event, url, payload, key, headers)
        delivery.retries = Retries(limit=0)
        await self._deliver(delivery)
        return delivery

    def _made(
        self, event: str, url: str, payload: Any, key: str, headers: Mapping[str, str]
    ) -> HookDelivery:
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        all_headers = {"content-type": "application/json", **headers}
        delivery = HookDelivery(self._next_id, event, url, body, all_headers, key)
        self._next_id += 1
        self.sent[delivery.id] = delivery
        if len(self.sent) > KEPT:
            self._forget_one()
        return delivery

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that ends with the simulator at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Waits until nothing is pending: each delivery came through or was given up."""
        while self._tasks:
            # `wait`, not `gather`: who stops waiting must not stop the deliveries.
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Gives up what is pending and closes the connections."""
        self.abandon()
        await self.settled()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def abandon(self) -> None:
        """Gives up what is pending and forgets all deliveries."""
        for task in self._tasks:
            task.cancel()
        self.sent.clear()

    def as_record(self, *, limit: int = 1000, status: str | None = None) -> dict[str, Any]:
        """Sums by status, and the newest ``limit`` deliveries, oldest first."""
        sums = Counter(delivery.status for delivery in self.sent.values())
        chosen = [d for d in self.sent.values() if status is None or d.status == status]
        return {
            "total": len(self.sent),
            "counts": {name: sums[name] for name in ("pending", "delivered", "failed")},
            "attempts": sum(len(delivery.attempts) for delivery in self.sent.values()),
            "deliveries": [d.as_record() for d in (chosen[-limit:] if limit > 0 else [])],
        }

    def _forget_one(self) -> None:
        for number, delivery in self.sent.items():
            if delivery.status != "pending":
                del self.sent[number]
                return

    async def _deliver(self, delivery: HookDelivery) -> None:
        while True:
            attempt = Attempt(round(self._clock.now(), 6))
            async with self._places:
                await self._try(delivery, attempt)
            delivery.attempts.append(attempt)
            if attempt.status is not None and 200 <= attempt.status < 300:
                delivery.status = "delivered"
                return
            retries = delivery.retries or self.retries
            if len(delivery.attempts) > retries.limit:
                delivery.status = "failed"
                return
            await self._clock.sleep(retries.wait(len(delivery.attempts), self._chance))

    async def _try(self, delivery: HookDelivery, attempt: Attempt) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                connector=aiohttp.TCPConnector(limit=0),
                # A vendor keeps no cookies of its customers.
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with self._session.post(
                delivery.url, data=delivery.body, headers=delivery.headers, allow_redirects=False
            ) as answer:
                delivery.answer = (await answer.read())[:ANSWER_KEPT]
                delivery.answer_type = answer.content_type
                attempt.status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            attempt.error = f"{type(error).__name__}: {error}"
