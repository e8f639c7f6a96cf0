"""Channels, notices, quotas and a scenario's confidentiality, through the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from junctor.adapters.postgres.connections import Entry, PostgresConnections, Usage
from junctor.adapters.postgres.hot import Line
from junctor.app.chores import (
    count_usage,
    forget_notices,
    note_attention,
    note_late,
    wipe_confidential,
)
from junctor.app.oneshot import own_worker
from junctor.errors import NotSent
from junctor.language import ids
from junctor.runtime.notices import once_a_day
from junctor.runtime.services import room
from tests.api.shapes import blueprint
from tests.support import asynchronous

CHANNELS = "/api/v1/notification-channels"
ANY = {"if-match": "*"}


@asynchronous
async def test_a_channels_life(api: Any) -> None:
    async with api() as it:
        made = await it.client.post(
            CHANNELS,
            json={
                "name": "chat",
                "webhook": "https://chat.example.invalid/canary/path?key=canary",
                "kinds": ["disk_low"],
                "pause": 60,
            },
        )
        assert made.status_code == 201, made.text
        body = made.json()
        assert body["secret"].startswith("whsec_")
        assert (body["address"], body["pause"]) == ("https://chat.example.invalid", 60)
        path = f"{CHANNELS}/{body['id']}"
        read = await it.client.get(path)
        assert "secret" not in read.json()
        assert "canary" not in read.text + (await it.client.get(CHANNELS)).text
        again = await it.client.post(CHANNELS, json={"name": "chat", "email": "a@example.com"})
        assert again.status_code == 409
        for wrong in (
            {"name": "x"},
            {"name": "x", "email": "a@b.c", "kinds": ["no"]},
            {"name": "x", "webhook": "chat.example.com"},
        ):
            refused = await it.client.post(CHANNELS, json=wrong)
            assert refused.status_code in {400, 422}, refused.text
        tried = await it.client.post(f"{path}/test")
        assert (tried.status_code, tried.json()["error"]["code"]) == (503, NotSent.code)
        assert "canary" not in tried.text
        mail = await it.client.post(CHANNELS, json={"name": "m", "email": "a@example.com"})
        tried = await it.client.post(f"{CHANNELS}/{mail.json()['id']}/test")
        assert "JUNCTOR_SMTP_URL" in tried.json()["error"]["message"]
        assert read.json()["enabled"] is True
        for enabled in (False, False, True):
            changed = await it.client.patch(path, json={"enabled": enabled})
            assert (changed.status_code, changed.json()["enabled"]) == (200, enabled)
        assert (await it.client.patch(path, json={})).status_code in {400, 422}
        assert (await it.client.delete(path)).status_code == 204
        assert (await it.client.patch(path, json={"enabled": True})).status_code == 404
        assert (await it.client.delete(path)).status_code == 404
        log = (await it.core.catalog.audit(it.organization_id)).items
        assert [e.verb for e in log if e.object == body["id"]] == [
            "delete",
            "enable",
            "disable",
            "create",
        ]
        assert "canary" not in str(log)
        reader = await it.token_with("notifications:read")
        denied = await it.client.post(
            CHANNELS, json={"name": "y", "email": "a@b.c"}, headers=reader
        )
        assert denied.status_code == 403
        denied = await it.client.patch(path, json={"enabled": True}, headers=reader)
        assert denied.status_code == 403


@asynchronous
async def test_notices_are_listed_newest_first_without_what_was_said(api: Any) -> None:
    async with api() as it:
        for number in range(3):
            await once_a_day(
                it.core.engine,
                "key_old",
                f"con_{number}",
                params={"connection": f"C{number}", "days": 91, "message": "canary"},
                organizations=[it.organization_id],
            )
        first = (await it.client.get("/api/v1/notices?limit=2&kind=key_old")).json()
        rest = await it.client.get(
            "/api/v1/notices", params={"limit": 2, "kind": "key_old", "cursor": first["next"]}
        )
        shown = first["items"] + rest.json()["items"]
        assert [each["subject"] for each in shown] == ["con_2", "con_1", "con_0"]
        assert shown[0]["text"] == "Connection 'C2' has a key that is 91 days old."
        assert shown[0]["params"] == {"connection": "C2", "days": 91}
        assert rest.json()["next"] is None
        assert (await it.client.get("/api/v1/notices?kind=no")).status_code in {400, 422}


@asynchronous
async def test_limits_are_set_and_hold_for_records(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMEMBERED", 0.0)
    async with api() as it:
        path = "/api/v1/organization/quotas"
        before = (await it.client.get(path)).json()
        assert before["limits"]["records"] is None
        store = (await it.client.post("/api/v1/data-stores", json={"name": "S"})).json()["id"]
        records = f"/api/v1/data-stores/{store}/records"
        assert (await it.client.put(f"{records}/a", json={"n": 1})).status_code == 200
        set_ = await it.client.patch(path, json={"records": 1, "queue_minutes": 5})
        assert (set_.status_code, set_.json()["used"]["records"]) == (200, 1)
        over = await it.client.put(f"{records}/b", json={"n": 1})
        assert over.status_code == 422
        assert "1 records" in over.json()["error"]["message"]
        assert (await it.client.put(f"{records}/a", json={"n": 2})).status_code == 200
        assert (await it.client.patch(path, json={"records": -1})).status_code in {400, 422}
        free = await it.client.patch(path, json={"records": None})
        assert free.json()["limits"] == {
            **before["limits"],
            "queue_minutes": 5,
            "updated_at": free.json()["limits"]["updated_at"],
            "updated_by": free.json()["limits"]["updated_by"],
        }
        await count_usage(it.core)


async def _traces(it: Any, run: Any, url: str) -> None:
    """What its requests and its answer say is not left elsewhere."""
    made = await it.client.post(
        "/api/v1/connections",
        json={"name": "T", "connector": "toky", "values": {"api_key": "k" * 20}},
    )
    assert made.status_code == 201, made.text
    connection = ids.read("con", made.json()["id"])
    entry = Entry(
        organization_id=it.organization_id, connection_id=connection, id=uuid4(),
        at=datetime.now(UTC), run_id=run.id, method="GET",
        url="https://api.example.test:8443/people/ada?mail=…", status=200, error=None,
        milliseconds=1.0, sent=0, received=0,
    )  # fmt: skip
    others = [replace(entry, id=uuid4(), run_id=other) for other in (None, uuid4())]
    line = Line(url, patience=5)
    store = PostgresConnections(line)
    usage = [(it.organization_id, connection, Usage(entry.at))]
    await store.note([entry, *others], usage, most=9, days=1)
    await line.close()
    with psycopg.connect(url, autocommit=True) as db:
        shown = "select url from connection_requests where connection_id = %s order by length(url)"
        host, whole = "https://api.example.test:8443", entry.url
        assert db.execute(shown, (connection,)).fetchall() == [(host,), (whole,), (whole,)]
        db.execute("update connection_requests set url = %s, run_id = %s", (whole, run.id))
        put = (
            "insert into answers (organization_id, delivery_id, status, body)"
            " values (%s, %s, 200, 'ada') on conflict do nothing"
        )
        db.execute(put, (it.organization_id, run.id))
        await wipe_confidential(it.core)
        assert db.execute(shown, (connection,)).fetchall() == [(host,)] * 3
        left = "select count(*) from answers where delivery_id = %s"
        assert db.execute(left, (run.id,)).fetchall() == [(1,)]  # its sender may repeat it
        for minutes, whole_history, kept in ((4, False, 1), (6, False, 0), (60, True, 0)):
            db.execute(put, (it.organization_id, run.id))
            db.execute(
                "update runs set ended_at = now() - make_interval(mins => %s) where id = %s",
                (minutes, run.id),
            )
            await wipe_confidential(it.core, whole=whole_history)
            assert db.execute(left, (run.id,)).fetchall() == [(kept,)]


@asynchronous
async def test_a_confidential_run_keeps_counts_only(api: Any, database_url: str) -> None:
    async with api() as it:
        shape = blueprint("Secret")
        shape["metadata"]["scenario"] = {"confidential": True}
        made = await it.client.post("/api/v1/scenarios", json={"blueprint": shape})
        assert made.json()["confidential"] is True
        path = f"/api/v1/scenarios/{made.json()['id']}"
        async with own_worker(it.core):
            run = await it.client.post(
                f"{path}/runs", json={"input": {"a": "canary"}, "responsive": True}
            )
        run_id = run.json()["id"]
        found = await it.core.catalog.run(it.organization_id, ids.read("run", run_id))
        # From its very end on, and without the job, which finds nothing left to do.
        assert (found.segments, found.state) == (0, "finished")
        assert found.operations > 0
        assert await it.core.catalog.segments(it.organization_id, found.id) == []
        assert await wipe_confidential(it.core, whole=True) == {"wiped": 0}
        operations = await it.client.get(f"/api/v1/runs/{run_id}/operations")
        assert (operations.status_code, operations.json()["operations"]) == (200, [])
        await _traces(it, found, database_url)
        changed = await it.client.patch(path, json={"confidential": False}, headers=ANY)
        assert changed.json()["confidential"] is False
        assert await wipe_confidential(it.core) == {"wiped": 0}


@asynchronous
async def test_what_connections_need_and_late_queues_are_noticed_once(api: Any) -> None:
    async with api() as it:
        made = await it.client.post(
            "/api/v1/connections",
            json={"name": "Our Toky", "connector": "toky", "values": {"api_key": "k"}},
        )
        assert made.status_code == 201, made.text
        connection = ids.read("con", made.json()["id"])
        scenario = await it.client.post("/api/v1/scenarios", json={"blueprint": blueprint("Late")})
        late = ids.read("scn", scenario.json()["id"])
        org = it.organization_id
        async with it.core.engine.connection() as db:
            await db.execute(
                "update connection_states set broken_at = now(), broken_reason = 'canary',"
                " secret_at = now() - interval '100 days' where connection_id = %s",
                (connection,),
            )
            await db.execute("update scenarios set active = true where id = %s", (late,))
            await db.execute(
                "insert into backlog (organization_id, scenario_id) values (%s, %s)", (org, late)
            )
            await db.execute(
                "insert into inbox (organization_id, id, scenario_id, received_at, payload)"
                " values (%s, %s, %s, now() - interval '3 hours', '')",
                (org, it.core.ids.new(), late),
            )
        assert (await note_attention(it.core))["written"] == 2
        assert (await note_attention(it.core))["written"] == 0
        assert (await note_late(it.core))["written"] == 1
        assert (await note_late(it.core))["written"] == 0
        found = (await it.client.get("/api/v1/notices")).json()["items"]
        texts = {each["kind"]: each["text"] for each in found[:3]}
        assert texts == {
            "connection_marked": "Connection 'Our Toky' does not work any more: "
            "somebody must connect it anew.",
            "key_old": "Connection 'Our Toky' has a key that is 100 days old.",
            "queue_full": "Scenario 'Late': the oldest delivery has waited for 180 minutes.",
        }
        async with it.core.engine.connection() as db:
            await db.execute("update notices set created_at = now() - interval '91 days'")
            await db.execute("update notices set handed_at = now()")
        assert (await forget_notices(it.core))["notices"] >= 3
