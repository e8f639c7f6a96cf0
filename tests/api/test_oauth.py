"""OAuth from end to end: our API, the simulated HighLevel's page and tokens, our callback."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from junctor.app import care
from junctor.app.core import Core, open_core
from junctor.app.owner import ensure_owner
from junctor.app.server import open_application
from junctor.app.settings import Settings
from junctor.errors import JunctorError, NotSent, Reconnect
from junctor.language import ids
from junctor.language.connector import Request
from junctor.simulators.faults import Fault, Match
from junctor.simulators.highlevel_oauth import HighLevelOAuthSimulator
from junctor.simulators.kit import running
from tests.support import ROOT, asynchronous

PUBLIC = "https://junctor.test"


@dataclass
class Scene:
    """The application, the vendor, and a connection that waits to be authorised."""

    client: httpx.AsyncClient
    browser: httpx.AsyncClient
    core: Core
    settings: Settings
    organization_id: UUID
    sim: HighLevelOAuthSimulator
    url: str
    id: str = ""

    @property
    def connection_id(self) -> UUID:
        return ids.read("con", self.id)

    async def add(self, name: str = "HL", **values: Any) -> str:
        made = await self.client.post(
            "/api/v1/connections",
            json={
                "connector": "highlevel",
                "kind": "oauth",
                "name": name,
                "base_url": self.sim.base_url,
                "values": {
                    "client_id": self.sim.client_id,
                    "client_secret": self.sim.client_secret,
                    **values,
                },
            },
        )
        assert made.status_code == 201, made.text
        assert made.json()["authorized"] is False
        return str(made.json()["id"])

    async def begin(self, **how: Any) -> tuple[str, httpx.Response]:
        """Where the vendor sends the person back to, and what our API answered."""
        begun = await self.client.post(f"/api/v1/connections/{self.id}/authorize", json=how)
        assert begun.status_code == 200, begun.text
        return await self.allow(begun.json()["url"]), begun

    async def allow(self, url: str) -> str:
        page = await self.browser.get(url)
        assert page.status_code == 302, page.text
        back = page.headers["location"]
        assert back.startswith(f"{PUBLIC}/oauth/callback?")
        return str(back)

    async def come_back(self, url: str, **more: Any) -> httpx.Response:
        parts = urlsplit(url)
        headers = {"authorization": "", **more}
        return await self.client.get(f"{parts.path}?{parts.query}", headers=headers)

    async def authorize(self, **how: Any) -> httpx.Response:
        return await self.come_back((await self.begin(**how))[0])

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(f"/api/v1/connections/{self.id}")).json()
        return found

    async def call(self, core: Core | None = None) -> int:
        """Sends a request as a run does; its status."""
        accounts = (core or self.core).accounts
        account = await accounts.get(self.organization_id, self.connection_id)
        request = Request("GET", f"/locations/{self.sim.location_id}")
        return (await accounts.send_as(account, request, run_id=uuid4())).status

    def change(self, text: str) -> None:
        """The database is changed; SQL on the connection's own state."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(text.encode(), {"id": self.connection_id})
        self.core.accounts.forget(self.organization_id, self.connection_id)

    def age(self) -> None:
        """The access token is all but at its end."""
        self.change(
            "update connection_states set expires_at = now() + interval '1 second' "
            "where connection_id = %(id)s"
        )


@pytest.fixture
def scene(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Opens it; used as ``async with scene() as it``."""

    @asynccontextmanager
    async def opened(**values: Any) -> AsyncIterator[Scene]:
        async with running(HighLevelOAuthSimulator(seed=3)) as sim:
            settings = Settings(
                data_dir=tmp_path_factory.getbasetemp() / "api",
                public=PUBLIC,
                egress_allow=(urlsplit(sim.base_url).netloc,),
            )
            async with (
                open_core(settings, database_url) as core,
                open_application(settings, database_url, name="servertest") as application,
                httpx.AsyncClient() as browser,
            ):
                await ensure_owner(core)
                organization = (await core.catalog.organizations())[0].organization_id
                _, text = await core.catalog.create_token(
                    organization, actor="test", name="owner", scopes=["owner"]
                )
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                    base_url="https://testserver",
                    headers={"authorization": f"Bearer {str.__str__(text)}"},
                ) as client:
                    it = Scene(client, browser, core, settings, organization, sim, database_url)
                    it.id = await it.add(name=f"HL {uuid4()}", **values)
                    yield it

    return opened


@asynchronous
async def test_an_account_is_authorised_and_works(scene: Any) -> None:
    async with scene() as it:
        with pytest.raises(Reconnect, match="junctor connections authorize con_"):
            await it.call()
        back, begun = await it.begin()
        assert begun.json()["callback_url"] == f"{PUBLIC}/oauth/callback"
        assert begun.headers["cache-control"] == "no-store"
        page = await it.come_back(back)
        assert page.status_code == 200, page.text
        assert f"HighLevel is connected as location {it.sim.location_id}." in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        shown = await it.shown()
        assert shown["authorized"] is True
        assert shown["account"] == f"location {it.sim.location_id}"
        assert shown["reconnect"] is None
        assert shown["expires_at"]
        tested = await it.client.post(f"/api/v1/connections/{it.id}/test")
        assert tested.json()["test_error"] is None
        assert await it.call() == 200
        assert it.sim.renewals == 0


@asynchronous
async def test_an_agency_works_in_a_location_with_its_token(scene: Any) -> None:
    async with scene(access="Company") as it:
        assert (await it.authorize()).status_code == 200
        assert (await it.shown())["account"] == f"agency {it.sim.company_id}"
        tested = await it.client.post(f"/api/v1/connections/{it.id}/test")
        assert tested.json()["test_error"] is None  # of the agency itself
        assert await it.call() == 401  # the agency's token is not the location's
    async with scene(access="Company", location_id=it.sim.location_id) as it:
        assert (await it.authorize()).status_code == 200
        assert await it.call() == 200
        assert await it.call() == 200
        # Ended by the vendor: both tokens are had anew, without a word.
        it.sim._access = {}
        it.change(
            "update connection_states set expires_at = expires_at - interval '10 minutes' "
            "where connection_id = %(id)s"
        )
        assert await it.call() == 200
        assert it.sim.renewals == 1


@asynchronous
async def test_a_state_is_good_once_and_only_if_we_made_it(scene: Any) -> None:
    async with scene() as it:
        back, _ = await it.begin()
        forged = dict(parse_qsl(urlsplit(back).query)) | {"state": "A" * 43}
        for query in (
            urlencode(forged),
            urlencode(forged | {"state": "' or 1=1 --"}),
            urlencode(forged | {"state": ""}),
            "code=x",
            "",
            urlsplit(back).query + "&code=other",
            "state=" + "A" * 20_000,
        ):
            page = await it.client.get(f"/oauth/callback?{query}")
            assert page.status_code in {400, 414}, query
            assert "location" not in page.headers
        assert (await it.client.head(back)).status_code == 405  # a preview uses nothing up
        assert (await it.client.post(back)).status_code == 405
        assert (await it.client.get("/oauth/anything")).status_code == 404
        assert (await it.shown())["authorized"] is False
        assert (await it.come_back(back)).status_code == 200
        replayed = await it.come_back(back)
        assert replayed.status_code == 400
        assert "used before" in replayed.text


@asynchronous
async def test_a_state_ends_after_ten_minutes(scene: Any) -> None:
    async with scene() as it:
        back, _ = await it.begin()
        it.change(
            "update authorizations set expires_at = expires_at - interval '601 seconds' "
            "where connection_id = %(id)s"
        )
        assert (await it.come_back(back)).status_code == 400
        assert (await it.shown())["authorized"] is False


@asynchronous
async def test_who_began_in_a_browser_ends_in_it(scene: Any) -> None:
    async with scene() as it:
        for cookie in ("", "__Host-junctor-oauth=wrong"):
            back, begun = await it.begin(browser=True)
            it.client.cookies.clear()
            page = await it.come_back(back, cookie=cookie)
            assert page.status_code == 400
            assert "another browser" in page.text
        back, begun = await it.begin(browser=True)
        header = begun.headers["set-cookie"]
        assert header.startswith("__Host-junctor-oauth=")
        for part in ("Path=/", "HttpOnly", "SameSite=Lax", "Secure"):
            assert part in header
        it.client.cookies.clear()
        page = await it.come_back(back, cookie=header.partition(";")[0])
        assert page.status_code == 200


@asynchronous
async def test_a_foreign_code_is_of_no_use(scene: Any) -> None:
    """An attacker's own code in the victim's way back: the verifier does not fit it."""
    async with scene() as it:
        mine, _ = await it.begin()
        theirs, _ = await it.begin()
        query = dict(parse_qsl(urlsplit(mine).query))
        query["code"] = parse_qs(urlsplit(theirs).query)["code"][0]
        page = await it.come_back(urlunsplit(urlsplit(mine)._replace(query=urlencode(query))))
        assert page.status_code == 400
        assert "code_verifier" in page.text
        assert query["code"] not in page.text


@asynchronous
async def test_what_the_vendor_says_is_shown_as_text(scene: Any) -> None:
    async with scene() as it:
        begun = await it.client.post(f"/api/v1/connections/{it.id}/authorize", json={})
        state = parse_qs(urlsplit(begun.json()["url"]).query)["state"][0]
        query = {
            "state": state,
            "error": "access_denied",
            "error_description": "<script>alert(1)</script>",
        }
        page = await it.client.get(f"/oauth/callback?{urlencode(query)}")
        assert page.status_code == 400
        assert "access_denied" in page.text
        assert "<script" not in page.text


@asynchronous
async def test_another_organisation_cannot_begin_or_see_it(scene: Any) -> None:
    async with scene() as it:
        other, *_ = await it.core.catalog.create_organization(actor="test", name="Other")
        with pytest.raises(JunctorError):
            await care.authorizing(it.core).begin(
                other.organization_id, it.connection_id, redirect_uri="https://x/", actor="test"
            )
        back, _ = await it.begin()
        assert (await it.come_back(back)).status_code == 200
        assert await care.states_of(it.core, other.organization_id, [it.connection_id]) == {}


@asynchronous
async def test_a_connection_keeps_its_account_unless_told_otherwise(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.sim.location_id = "another"
        page = await it.authorize()
        assert page.status_code == 400
        assert "another account" in page.text
        assert "location another" not in (await it.shown())["account"]
        assert (await it.authorize(switch=True)).status_code == 200
        assert (await it.shown())["account"] == "location another"


@asynchronous
async def test_a_changed_address_or_client_needs_a_new_permission(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        back, _ = await it.begin()
        values = {"client_id": it.sim.client_id, "client_secret": it.sim.client_secret}
        changed = await it.client.patch(
            f"/api/v1/connections/{it.id}",
            json={"base_url": "http://127.0.0.1:9", "values": values},
            headers={"if-match": "*"},
        )
        assert changed.status_code == 200, changed.text
        it.core.accounts.forget(it.organization_id, it.connection_id)
        with pytest.raises(Reconnect, match="another address"):
            await it.call()
        page = await it.come_back(back)  # the code is not sent to the new address
        assert page.status_code == 400
        assert "changed meanwhile" in page.text


@asynchronous
async def test_a_token_address_that_redirects_gets_nothing(scene: Any) -> None:
    async with scene() as it:
        it.sim.faults.add(Fault(kind="status", status=307, match=Match(path="/oauth/token")))
        page = await it.authorize()
        assert page.status_code == 400
        assert "points elsewhere" in page.text


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
        it.sim._access, it.sim._refresh = {}, {}
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
async def test_no_token_is_in_any_table_or_answer(scene: Any, capfd: Any) -> None:
    async with scene() as it:
        pages = [(await it.authorize()).text]
        it.age()
        assert await it.call() == 200
        it.sim._access, it.sim._refresh = {}, {}
        secrets = {it.sim.client_secret}
        it.age()
        with pytest.raises(Reconnect):
            await it.call()
        await it.authorize()
        secrets |= set(it.sim._access) | set(it.sim._refresh)
        assert len(secrets) == 3
        await it.core.accounts.recorder.flush()
        for path in ("", "/requests"):
            pages.append((await it.client.get(f"/api/v1/connections/{it.id}{path}")).text)
        with psycopg.connect(it.url) as db:
            tables = db.execute(
                "select schemaname, tablename from pg_tables "
                "where schemaname in ('public', 'procrastinate')"
            ).fetchall()
            for names in tables:
                whole = sql.SQL("select t::text from {} t").format(sql.Identifier(*names))
                pages.extend(row[0] for row in db.execute(whole))
        said = capfd.readouterr()
        text = "\n".join([*pages, said.out, said.err])
        for secret in secrets:
            coded = base64.b64encode(secret.encode()).decode()
            for form in (secret, secret.encode().hex(), coded):
                assert form not in text


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
