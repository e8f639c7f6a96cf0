"""What callers are told while nothing can be stored."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest

from junctor.connectors.signalwire import signalwire
from junctor.ports.inbox import Answered, NewDelivery
from junctor.runtime.hooks import Hook
from junctor.runtime.ingest import Ingest
from tests.support import run

NOTHING: Any = None
KEY = "PSK_0123456789"
TOKEN = "abc"
PUBLIC = "https://us.example"
FORM = {"CallSid": "c1", "CallStatus": "ringing", "From": "+12025550142", "To": "+12025550143"}


def hook_of(kind: str, **settings: Any) -> Hook:
    module = signalwire.modules[kind]
    assert module.hook is not None
    answer: Any = module.hook.answer
    answer = answer(settings) if callable(answer) else answer
    return Hook(
        uuid4(), uuid4(), uuid4(), module, module.hook, settings,
        {**settings, "signing_key": KEY}, False,
        Answered(answer.status, answer.headers, answer.body), None, stored=settings,
    )  # fmt: skip


Accept = Callable[[NewDelivery], Awaitable[Any]]


async def lost(_delivery: NewDelivery) -> None:
    raise psycopg.OperationalError("the server closed the connection unexpectedly")


async def for_ever(_delivery: NewDelivery) -> None:
    await asyncio.Event().wait()


async def stored(_delivery: NewDelivery) -> None:
    return None


def call(hook: Hook, accept: Accept, query: str = "", key: str = KEY) -> Answered:
    """One call at the door."""
    ingest = Ingest("unused", server="s", find=NOTHING, vault=NOTHING, public_url=PUBLIC)

    async def get(_token: str, *, away: bool) -> Hook:
        assert not away
        return hook

    async def refused(_hook: Hook) -> None:
        return None

    ingest._hooks.get = get  # type: ignore[method-assign, assignment]  # no database here
    ingest._hooks.refused = refused  # type: ignore[method-assign, assignment]  # as above
    ingest._accept = accept  # type: ignore[method-assign, assignment]  # as above
    url = f"{PUBLIC}/hook/{TOKEN}" + (f"?{query}" if query else "")
    text = url + "".join(name + FORM[name] for name in sorted(FORM))
    signature = base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha1))
    scope = {
        "path": f"/hook/{TOKEN}",
        "method": "POST",
        "query_string": query.encode(),
        "headers": [
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"x-signalwire-signature", signature),
        ],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": urlencode(FORM).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    run(ingest(scope, receive, send))
    headers = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
    return Answered(sent[0]["status"], headers, sent[1]["body"])


SAY = {"answer": "say", "text": "Welcome & hello", "away_text": "Later", "away": "say"}


def test_a_call_that_is_stored_is_answered_as_chosen() -> None:
    answer = call(hook_of("watchCalls", **SAY), stored)
    assert answer.status == 200
    assert dict(answer.headers)["content-type"] == "application/xml; charset=utf-8"
    assert b"<Say>Welcome &amp; hello</Say><Hangup/>" in answer.body


@pytest.mark.parametrize("accept", [lost, for_ever])
def test_one_that_is_not_stored_is_503_first_and_answered_at_the_fallback(accept: Accept) -> None:
    hook = hook_of("watchCalls", **SAY)
    hook = replace(hook, definition=replace(hook.definition, away_after=0.01))
    first = call(hook, accept)
    assert first.status == 503
    assert dict(first.headers)["retry-after"] == "5"
    second = call(hook, accept, "fallback=1")
    assert second.status == 200
    assert first.body == second.body
    assert b"<Say>Later</Say>" in second.body


def test_the_same_as_always_may_be_chosen_and_forwarding() -> None:
    same = call(hook_of("watchCalls", answer="reject", away="same"), lost, "fallback=1")
    assert b"<Reject" in same.body
    forward = {"answer": "say", "away": "forward", "forward_to": "+12025550100"}
    assert b">+12025550100</Dial>" in call(hook_of("watchCalls", **forward), lost).body


def test_a_message_is_503_at_both() -> None:
    for query in ("", "fallback=1"):
        assert call(hook_of("watchMessages"), lost, query).status == 503


def test_what_is_not_signed_is_told_nothing() -> None:
    hook = hook_of("watchCalls", **SAY)
    assert call(hook, lost, "fallback=1", key="another key").status == 401


def test_a_caller_leaves_one_message_not_many() -> None:
    hook = hook_of("watchCalls", answer="record", text="Speak", record_seconds=9)
    first = call(hook, stored)
    assert f'action="{PUBLIC}/hook/{TOKEN}?recorded=1"' in first.body.decode()
    assert b'maxLength="9"' in first.body
    after = call(hook, stored, "recorded=1")
    assert (after.status, b"<Record" in after.body) == (200, False)
    assert call(hook, lost, "recorded=1").status == 503
