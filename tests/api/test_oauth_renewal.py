"""Tokens are renewed in time, once, however many processes use them; and what if not."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from junctor.app.core import open_core
from junctor.app.oneshot import own_worker
from junctor.errors import NotSent, Reconnect
from junctor.simulators.faults import Fault, Match
from tests.api.shapes import blueprint
from tests.support import ROOT, asynchronous


@asynchronous
async def test_many_processes_renew_once(scene: Any) -> None:
    async with scene() as it, AsyncExitStack() as stack:
        await it.authorize()
        cores = [await stack.enter_async_context(open_core(it.settings, it.url)) for _ in range(3)]
        for rounds in range(1, 4):
            it.age()
            for core in cores:
                core.accounts.forget(it.organization_id, it.connection_id)
            statuses = await asyncio.gather(*(it.call(core) for core in cores for _ in range(8)))
            assert set(statuses) == {200}
            assert (it.sim.renewals, it.sim.refused_renewals) == (rounds, 0)


@asynchronous
async def test_a_refused_token_is_renewed_once_and_the_request_sent_again(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.sim._access = {}  # the vendor forgot it before its time
        assert await it.call() == 401  # a young one: a new one would be refused as well
        assert it.sim.renewals == 0
        it.change(
            "update connection_states set expires_at = expires_at - interval '10 minutes' "
            "where connection_id = %(id)s"
        )
        assert await it.call() == 200
        assert (it.sim.renewals, it.sim.refused_renewals) == (1, 0)


@asynchronous
async def test_revoked_access_marks_the_connection_until_it_is_allowed_anew(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.sim.revoke()
        it.age()
        with pytest.raises(Reconnect, match="invalid_grant"):
            await it.call()
        with pytest.raises(Reconnect):
            await it.call()
        assert it.sim.refused_renewals == 1  # a dead token is not tried again
        shown = await it.shown()
        assert "invalid_grant" in shown["reconnect"]
        assert shown["reconnect_since"]
        listed = (await it.client.get("/api/v1/connections")).json()["items"]
        assert [each["reconnect"] for each in listed if each["id"] == it.id] == [shown["reconnect"]]
        tested = (await it.client.post(f"/api/v1/connections/{it.id}/test")).json()
        assert "invalid_grant" in tested["test_error"]
        assert (await it.authorize()).status_code == 200
        assert (await it.shown())["reconnect"] is None
        it.core.accounts.forget(it.organization_id, it.connection_id)
        assert await it.call() == 200


@asynchronous
async def test_a_vendor_that_is_away_costs_nothing(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        match = Match(path="/oauth/token")
        for fault in (
            Fault(kind="status", status=503, match=match),
            Fault(kind="garbage", garbage="body", match=match, process=False),
            Fault(kind="cut_before", match=match),
        ):
            it.change(
                "update connection_states set expires_at = now() where connection_id = %(id)s"
            )
            it.sim.faults.add(fault)
            with pytest.raises(NotSent):
                await it.call()
            assert (await it.shown())["reconnect"] is None
            assert await it.call() == 200
        assert it.sim.refused_renewals == 0


@asynchronous
async def test_a_claim_of_a_dead_process_lapses(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.change(
            "update connection_states set expires_at = now(), renewer = gen_random_uuid(), "
            "renewing_until = now() + interval '0.3 seconds' where connection_id = %(id)s"
        )
        assert await it.call() == 200
        assert it.sim.renewals == 1


@asynchronous
async def test_while_one_renews_others_use_the_old_token(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.change(
            "update connection_states set expires_at = now() + interval '1 minute', "
            "renewer = gen_random_uuid(), renewing_until = now() + interval '1 hour' "
            "where connection_id = %(id)s"
        )
        assert await it.call() == 200
        assert it.sim.renewals == 0


@asynchronous
async def test_processes_of_their_own_renew_once(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.change("update connection_states set expires_at = now() where connection_id = %(id)s")
        arguments = (
            str(it.settings.data_dir),
            it.url,
            urlsplit(it.sim.base_url).netloc,
            str(it.organization_id),
            str(it.connection_id),
            f"/locations/{it.sim.location_id}",
        )
        pipe = asyncio.subprocess.PIPE
        started = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.api.oauth_process",
                *arguments,
                stdin=pipe,
                stdout=pipe,
                cwd=ROOT,
            )
            for _ in range(2)
        ]
        for process in started:
            assert process.stdout is not None
            assert (await process.stdout.readline()).strip() == b"ready"
        said = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
        assert [out.strip() for out, _ in said] == [b"200", b"200"]
        assert (it.sim.renewals, it.sim.refused_renewals) == (1, 0)


@asynchronous
async def test_a_run_waits_for_a_new_permission_and_goes_on(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.sim.revoke()
        it.age()
        contact = next(iter(it.sim.state.contacts.rows))
        get = {
            "id": 2,
            "module": "highlevel:getContact",
            "version": 1,
            "parameters": {},
            "mapper": {"contactId": contact},
        }
        shape = blueprint(f"needs {it.id}")
        shape["flow"].append(get)
        made = await it.client.post(
            "/api/v1/scenarios", json={"blueprint": shape, "connections": {"2": it.id}}
        )
        assert made.status_code == 201, made.text
        path = f"/api/v1/scenarios/{made.json()['id']}"
        await it.client.post(f"{path}/publish", headers={"if-match": "*"})
        async with own_worker(it.core):
            started = await it.client.post(
                f"{path}/runs", params={"wait": "60"}, json={"input": {"name": "Ada"}}
            )
            where = started.headers["location"]
            run = (await it.client.get(where)).json()
            assert run["state"] == "incomplete", run
            assert "junctor connections authorize" in str(run["error"])
            await it.authorize()
        # A worker of its own, which has not seen what was before: not even a moment's memory.
        async with own_worker(it.core):
            again = await it.client.post(f"{where}/retry")
            assert again.status_code in {200, 202}, again.text
            async with asyncio.timeout(120):
                while (await it.client.get(where)).json()["state"] != "finished":
                    await asyncio.sleep(0.02)
        text = (await it.client.get(where + "/operations")).text
        assert contact in text
        assert not [token for token in it.sim.tokens if token in text]
        rows = (await it.client.get(f"/api/v1/connections/{it.id}/requests")).json()["items"]
        assert where.endswith(rows[0]["run"])
