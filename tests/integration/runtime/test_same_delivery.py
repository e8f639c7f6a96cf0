"""The same delivery a hundred times at once is one run."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.integration.runtime.door import SET, WEBHOOK, door, flow, idle, plant_hook, working
from tests.support import asynchronous

JSON = {"content_type": "application/json"}
KEY = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def signed(body: bytes) -> dict[str, str]:
    return {**JSON, "X_GHL_Signature": base64.b64encode(KEY.sign(body)).decode()}


EVENT = json.dumps({"type": "ContactCreate", "webhookId": "w1", "id": "c1"}).encode()
CALL = json.dumps({"callid": "c1", "status": "missed"}).encode()
SENDERS: dict[str, tuple[str, dict[str, Any], bytes, dict[str, str]]] = {
    "Idempotency-Key": ("gateway:CustomWebHook", {}, b'{"n": 1}', {"idempotency_key": "k", **JSON}),
    "webhook-id": ("gateway:CustomWebHook", {}, b'{"n": 1}', {"webhook_id": "k", **JSON}),
    "a long key": ("gateway:CustomWebHook", {}, b"{}", {"idempotency_key": "k" * 4000, **JSON}),
    "HighLevel": ("highlevel:watchEvents", {"public_key": PUBLIC}, EVENT, signed(EVENT)),
    "Toky": ("toky:watchNewCalls", {}, CALL, JSON),
}


@pytest.mark.parametrize("sender", SENDERS)
@asynchronous
async def test_a_hundred_at_once_are_one_run(sender: str, database_url: str) -> None:
    trigger, settings, body, headers = SENDERS[sender]
    connector, _, kind = trigger.partition(":")
    path = plant_hook(
        database_url, flow((trigger, {}), SET), connector=connector, kind=kind, **settings
    )
    token = path.rpartition("/")[2]
    async with door(database_url) as it, door(database_url) as other, working(database_url):
        answers = await asyncio.gather(
            *(each.post(path, body, **headers) for each in (it, other) for _ in range(50))
        )
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
        with psycopg.connect(database_url) as db:
            runs = db.execute(
                "select r.state from runs r join hooks h using (organization_id, scenario_id)"
                " where h.token = %s", (token,),
            ).fetchall()  # fmt: skip
            seen = db.execute(
                "select s.duplicates from seen s join hooks h on h.id = s.hook_id"
                " where h.token = %s", (token,),
            ).fetchall()  # fmt: skip
    assert runs == [("finished",)]
    assert seen == [(99,)]


@asynchronous
async def test_without_a_key_each_is_a_run(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    with psycopg.connect(database_url) as db:
        before = db.execute("select count(*) from runs").fetchall()[0][0]
    async with door(database_url) as it, working(database_url):
        await asyncio.gather(*(it.post(path, b"{}", webhook_id="", **JSON) for _ in range(20)))
        await idle(database_url)
    with psycopg.connect(database_url) as db:
        assert db.execute("select count(*) from runs").fetchall()[0][0] == before + 20


@asynchronous
async def test_a_hundred_callers_of_one_delivery_get_its_one_answer(database_url: str) -> None:
    respond = ("gateway:WebhookRespond", {"status": "201", "body": "{{uuid}}", "headers": []})
    path = plant_hook(database_url, flow(WEBHOOK, SET, respond))
    async with (
        door(database_url, answer_seconds=120) as it,
        door(database_url, answer_seconds=120) as other,
    ):
        asking = asyncio.gather(
            *(
                each.post(path, b'{"n": 1}', idempotency_key="same", **JSON)
                for each in (it, other)
                for _ in range(50)
            )
        )
        async with working(database_url):
            answers = await asking
        late = await it.post(path, b'{"n": 1}', idempotency_key="same", **JSON)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in (*answers, late)}) == 1
    assert len(late.body) == 36


@asynchronous
async def test_one_that_comes_when_the_answer_is_forgotten_is_told_at_once(
    database_url: str,
) -> None:
    respond = ("gateway:WebhookRespond", {"status": "201", "body": "{{uuid}}", "headers": []})
    path = plant_hook(database_url, flow(WEBHOOK, SET, respond))
    send = {"idempotency_key": "old", **JSON}
    async with door(database_url, answer_seconds=60) as it:
        async with working(database_url):
            assert (await it.post(path, b'{"n": 1}', **send)).status == 201
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("delete from answers")
        async with asyncio.timeout(20):
            again = await it.post(path, b'{"n": 1}', **send)
        assert (again.status, again.body) == (200, b"Accepted")
        assert it.ingest.callers == 0
