"""Scenarios that answer their caller."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, door, flow, plant_hook, working
from tests.support import asynchronous

JSON = {"content_type": "application/json"}
RESPOND: tuple[str, dict[str, Any]] = (
    "gateway:WebhookRespond",
    {
        "status": "201",
        "body": '{"n": {{2.n}}, "name": "{{1.name}}"}',
        "headers": [
            {"key": "Content-Type", "value": "application/json"},
            {"key": "X-N", "value": "{{1.n}}"},
        ],
    },
)


def failing(port: int) -> tuple[str, dict[str, Any]]:
    return (
        "http:ActionSendData",
        {
            "url": f"http://127.0.0.1:{port}/", "method": "post", "headers": [], "qs": [],
            "bodyType": "raw", "contentType": "application/json", "data": '{"n": {{1.n}}}',
            "parseResponse": True,
        },
    )  # fmt: skip


@asynchronous
async def test_the_caller_gets_what_was_mapped(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET, RESPOND))
    async with door(database_url) as it, working(database_url):
        answers = await asyncio.gather(
            *(
                it.post(path, f'{{"n": {n}, "name": "caller {n}"}}'.encode(), **JSON)
                for n in range(50)
            )
        )
    for n, answer in enumerate(answers):
        assert answer.status == 201
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-n"] == str(n)
        assert answer.body == f'{{"n": {n}, "name": "caller {n}"}}'.encode()


@pytest.mark.parametrize(
    "odd", [b"a\\r\\nset-cookie: x", b"a\\u0000", b"\\u20ac", b"\\ud83d\\ude00"]
)
@asynchronous
async def test_a_mapped_header_that_no_http_takes_harms_nobody(
    odd: bytes, database_url: str
) -> None:
    respond = (
        "gateway:WebhookRespond",
        {"status": "200", "body": "b", "headers": [{"key": "X-N", "value": "{{1.n}}"}]},
    )
    path = plant_hook(database_url, flow(WEBHOOK, SET, respond))
    async with door(database_url, answer_seconds=kit.PATIENCE) as it, working(database_url):
        bad, good = await asyncio.gather(
            it.post(path, b'{"n": "%s"}' % odd, **JSON), it.post(path, b'{"n": 1}', **JSON)
        )
    assert (good.status, good.body, good.headers["x-n"]) == (200, b"b", "1")
    assert bad.status in {200, 500}
    assert "set-cookie" not in bad.headers


@asynchronous
async def test_a_failed_run_is_said(database_url: str) -> None:
    async with kit.vendor(script={1: [(422, {})]}) as vendor:
        path = plant_hook(database_url, flow(WEBHOOK, SET, failing(vendor.port), RESPOND))
        async with (
            door(database_url) as it,
            working(database_url, allow=f"127.0.0.1:{vendor.port}"),
        ):
            bad, good = await asyncio.gather(
                it.post(path, b'{"n": 1}', **JSON), it.post(path, b'{"n": 2}', **JSON)
            )
    assert (bad.status, bad.body) == (500, b"The scenario failed to complete.")
    assert good.status == 201


@asynchronous
async def test_a_delivery_that_breaks_the_trigger_is_said(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET, RESPOND))
    async with door(database_url) as it, working(database_url):
        bad, good = await asyncio.gather(
            it.post(path, b'{"n": ', **JSON), it.post(path, b'{"n": 2}', **JSON)
        )
    assert (bad.status, good.status) == (500, 201)


@asynchronous
async def test_nobody_responding_is_accepted(database_url: str) -> None:
    blueprint = flow(WEBHOOK, SET, RESPOND).replace(
        '"id": 3,',
        '"id": 3, "filter": {"name": "f", "conditions": [[{"a": "{{1.n}}", "b": "5",'
        ' "o": "text:equal"}]]},',
    )
    path = plant_hook(database_url, blueprint)
    async with door(database_url) as it, working(database_url):
        silent = await it.post(path, b'{"n": 1}', **JSON)
        heard = await it.post(path, b'{"n": 5}', **JSON)
    assert (silent.status, silent.body) == (200, b"Accepted")
    assert heard.status == 201


@asynchronous
async def test_a_run_that_takes_longer_than_a_caller_waits(database_url: str) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET, RESPOND))
    async with door(database_url, answer_seconds=0.1) as it:
        answers = await asyncio.gather(*(it.post(path, b'{"n": 1}', **JSON) for _ in range(5)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, b"Accepted")}
        assert it.ingest.callers == 0


@asynchronous
async def test_an_answer_is_sent_though_the_run_waits_before_and_after(database_url: str) -> None:
    sleep = ("util:FunctionSleep", {"duration": "300"})
    path = plant_hook(database_url, flow(WEBHOOK, SET, sleep, RESPOND, sleep))
    async with (
        door(database_url, answer_seconds=kit.PATIENCE) as it,
        working(database_url) as worker,
    ):
        asking = asyncio.create_task(it.post(path, b'{"n": 1}', **JSON))
        await kit.waiting(database_url)
        kit.advance(worker, 300)
        await kit.make_due(database_url)
        assert (await asking).status == 201
