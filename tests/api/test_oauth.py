"""OAuth from end to end: our API, the simulated HighLevel's page and tokens, our callback."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from junctor.app import care
from junctor.errors import JunctorError, Reconnect
from junctor.simulators.faults import Fault, Match
from tests.api.oauth_scene import PUBLIC
from tests.support import asynchronous


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
async def test_no_token_is_in_any_table_or_answer(scene: Any, capfd: Any) -> None:
    async with scene() as it:
        pages = [(await it.authorize()).text]
        it.age()
        assert await it.call() == 200
        it.sim.revoke()
        secrets = {it.sim.client_secret}
        it.age()
        with pytest.raises(Reconnect):
            await it.call()
        await it.authorize()
        secrets |= it.sim.tokens
        assert len(secrets) == 3
        await it.core.accounts.recorder.flush()
        where = f"/api/v1/connections/{it.id}"
        pages += [(await it.client.get(each)).text for each in (where, f"{where}/requests")]
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
async def test_a_client_secret_is_rotated_only_if_it_renews_the_access(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        where = f"/api/v1/connections/{it.id}/rotate"

        async def rotate(secret: str) -> Any:
            values = {"values": {"client_secret": secret}}
            return await it.client.post(where, json=values, headers={"if-match": "*"})

        it.sim.client_secret = "a-new-client-secret"
        wrong = await rotate("another-client-secret")
        assert wrong.status_code >= 400
        assert "another-client-secret" not in wrong.text
        shown = await it.shown()
        assert (shown["reconnect"], shown["revision"]) == (None, 1)  # the old one goes on
        assert await it.call() == 200
        right = await rotate("a-new-client-secret")
        assert right.status_code == 200, right.text
        shown = await it.shown()
        assert (shown["authorized"], shown["reconnect"]) == (True, None)
        it.age()
        assert await it.call() == 200  # renewed with the new secret


@asynchronous
async def test_a_new_grant_keeps_the_connection_and_its_id(scene: Any) -> None:
    async with scene() as it:
        await it.authorize()
        it.change(
            "update connection_states set broken_at = now(), broken_reason = 'revoked', "
            "refused = true where connection_id = %(id)s"
        )
        with pytest.raises(Reconnect):
            await it.call()
        assert (await it.authorize()).status_code == 200
        assert (await it.shown())["reconnect"] is None
        assert await it.call() == 200
