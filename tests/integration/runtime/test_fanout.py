"""One app's address feeds many scenarios: each gets what is its own, all at once, and once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.durability.kit import ORGANIZATION, TEAM, new_id, plant
from tests.integration.runtime.door import SET, Answer, Door, door, flow, idle, working
from tests.support import asynchronous

KEY = Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: Any) -> str:
    """As the vendor publishes its own."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


class App:
    """An app of HighLevel's marketplace, and what this organisation has of it."""

    def __init__(self, url: str, *, client_id: str = "", **settings: Any) -> None:
        self.url = url
        self.client_id = client_id or f"{new_id().hex[8:]}-0001"
        self.name = self.client_id.partition("-")[0]
        self.token = os.urandom(16).hex()
        self.path = f"/hook/app-{self.token}"
        self.id = new_id()
        plant(url, flow(SET))  # and with it the organisation and its team
        given = {"public_key": public(KEY), "rsa_key": public(RSA), **settings}
        self.do(
            "insert into app_hooks (organization_id, id, connector, app, token, settings,"
            " created_by, updated_by) values (%s, %s, 'highlevel', %s, %s, %s, 't', 't')",
            ORGANIZATION, self.id, self.name, self.token, json.dumps(given),
        )  # fmt: skip

    def do(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as db:
            cursor = db.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def set(self, **settings: Any) -> None:
        """Changes its settings; what a door has kept of them is out of date."""
        self.do(
            "update app_hooks set settings = settings || %s, generation = generation + 1"
            " where id = %s", json.dumps(settings), self.id,
        )  # fmt: skip

    def connection(self, account: str | None, **settings: Any) -> UUID:
        """A connection by this app, allowed by an account."""
        made = new_id()
        values = {"client_id": self.client_id, **settings}
        self.do(
            "insert into connections (organization_id, id, team_id, name, connector, kind,"
            " base_url, settings, sealed, created_by, updated_by)"
            " values (%s, %s, %s, %s, 'highlevel', 'oauth', 'https://x.test', %s, '', 't', 't')",
            ORGANIZATION, made, TEAM, made.hex, json.dumps(values),
        )  # fmt: skip
        if account is not None:
            self.do(
                "update connection_states set account_id = %s, tokens = 'x'"
                " where connection_id = %s",
                account, made,
            )  # fmt: skip
        return made

    def scenario(self, connection: UUID, kind: str = "watchEvents", **settings: Any) -> UUID:
        """An active scenario that watches events with a connection; the scenario's id."""
        made = plant(self.url, flow((f"highlevel:{kind}", {}), SET))
        self.do(
            "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector,"
            " kind, token, connection_id, settings, created_by, updated_by)"
            " values (%s, %s, %s, %s, 1, 'h', 'highlevel', %s, %s, %s, %s, 't', 't')",
            ORGANIZATION, new_id(), TEAM, made, kind, os.urandom(16).hex(), connection,
            json.dumps(settings),
        )  # fmt: skip
        return made

    def event(self, name: str, location: str = "L1", **fields: Any) -> dict[str, Any]:
        return {
            "type": name, "locationId": location, "appId": self.name, "webhookId": new_id().hex,
            **fields,
        }  # fmt: skip

    async def tell(self, it: Door, event: Mapping[str, Any] | bytes, **headers: str) -> Answer:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        good = {"X_GHL_Signature": base64.b64encode(KEY.sign(body)).decode()}
        return await it.post(self.path, body, **(headers or good))

    def counted(self) -> tuple[int, int, int]:
        """Deliveries that were handed on, that nobody wanted, that were refused."""
        row = self.do("select delivered, unwanted, refused from app_hooks where id = %s", self.id)
        return tuple(row[0])

    def runs(self, *scenarios: UUID) -> list[int]:
        """How many each of them has had."""
        rows = self.do(
            "select scenario_id, count(*) from runs where scenario_id = any(%s) group by 1",
            list(scenarios),
        )
        found = Counter(dict(rows))
        return [found[scenario] for scenario in scenarios]


@asynchronous
async def test_each_scenario_gets_its_own_events_and_no_others(database_url: str) -> None:
    app, other = App(database_url), App(database_url)
    here, there = app.connection("location:L1"), app.connection("location:L2")
    contacts = app.scenario(here, "watchContacts")
    created = app.scenario(here, "watchContacts", types=["ContactCreate"])
    everything = app.scenario(here)
    elsewhere = app.scenario(there, "watchContacts")
    strangers = other.scenario(other.connection("location:L1"), "watchContacts")
    unallowed = app.scenario(app.connection(None, location_id="L1"))
    all_of_them = (contacts, created, everything, elsewhere, strangers, unallowed)
    async with door(database_url) as it, working(database_url):
        told = [
            app.event("ContactCreate"),
            app.event("ContactUpdate"),
            app.event("TaskCreate"),
            app.event("ContactCreate", "L2"),
            app.event("ContactCreate", "L3"),
        ]
        answers = await asyncio.gather(*(app.tell(it, event) for event in told))
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
        assert app.runs(*all_of_them) == [2, 1, 3, 1, 0, 0]
        assert app.counted() == (4, 1, 0)
        # The same events again, and the other app's to this address, though signed as well.
        answers = await asyncio.gather(*(app.tell(it, event) for event in told))
        assert {answer.status for answer in answers} == {200}
        assert (await app.tell(it, other.event("ContactCreate"))).status == 401
        assert (await other.tell(it, other.event("ContactCreate"))).status == 200
        await idle(database_url)
        assert app.runs(*all_of_them) == [2, 1, 3, 1, 1, 0]
        assert app.counted()[2] == 1


@asynchronous
async def test_the_same_event_a_hundred_times_at_two_doors_is_one_run_each(
    database_url: str,
) -> None:
    app = App(database_url)
    connection = app.connection("location:L1")
    scenarios = [app.scenario(connection) for _ in range(3)]
    event = app.event("NoteCreate")
    async with door(database_url) as it, door(database_url) as too, working(database_url):
        answers = await asyncio.gather(
            *(app.tell(each, event) for each in (it, too) for _ in range(50))
        )
        assert {answer.status for answer in answers} == {200}
        await idle(database_url)
    assert app.runs(*scenarios) == [1, 1, 1]


@asynchronous
async def test_what_is_not_genuine_is_refused(database_url: str) -> None:
    app = App(database_url)
    scenario = app.scenario(app.connection("location:L1"))
    body = json.dumps(app.event("ContactCreate")).encode()
    older = json.dumps(app.event("ContactCreate", timestamp="2020-01-01T00:00:00Z")).encode()
    nameless = json.dumps({"type": "ContactCreate", "locationId": "L1"}).encode()

    def ed(key: Ed25519PrivateKey, signed: bytes) -> dict[str, str]:
        return {"X_GHL_Signature": base64.b64encode(key.sign(signed)).decode()}

    by_rsa = {"X_WH_Signature": base64.b64encode(RSA.sign(body, PKCS1v15(), SHA256())).decode()}
    bad: list[tuple[bytes, dict[str, str]]] = [
        (body, {"X_Other": "1"}),
        (body, {"X_GHL_Signature": "nonsense"}),
        (body, ed(Ed25519PrivateKey.generate(), body)),
        (body + b" ", ed(KEY, body)),
        (body, by_rsa),
        (older, ed(KEY, older)),
        (nameless, ed(KEY, nameless)),
        (b"[]", ed(KEY, b"[]")),
    ]
    async with door(database_url) as it, working(database_url):
        for sent, headers in bad:
            assert (await app.tell(it, sent, **headers)).status == 401, (sent, headers)
        assert app.counted() == (0, 0, len(bad))
        assert (await it.post("/hook/app-" + "0" * 32, body, **ed(KEY, body))).status == 404
        # The switches, which a door hears of whatever it has kept.
        app.set(accept_rsa=True, accept_unnamed=True)
        assert (await app.tell(it, body, **by_rsa)).status == 200
        assert (await app.tell(it, body, **by_rsa, X_GHL_Signature="nonsense")).status == 401
        assert (await app.tell(it, nameless, **ed(KEY, nameless))).status == 200
        await idle(database_url)
    assert app.runs(scenario) == [2]


@asynchronous
async def test_a_door_that_heard_nothing_still_hands_out_by_the_list_of_now(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(database_url)
    connection = app.connection("location:L1")
    first = app.scenario(connection)
    async with door(database_url) as it, working(database_url):
        monkeypatch.setattr(it.ingest, "_forget_hooks", lambda: None)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        second = app.scenario(connection)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        app.do("update scenarios set active = false where id = %s", first)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        app.do("update connection_states set account_id = 'location:L9' where connection_id = %s",
               connection)  # fmt: skip
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        assert app.counted() == (3, 1, 0)
        app.do("update scenarios set active = true where id = %s", first)
        await idle(database_url)
        assert app.runs(first, second) == [2, 2]
        app.do("delete from app_hooks where id = %s", app.id)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 404


@asynchronous
async def test_a_delivery_and_its_copies_are_stored_together_or_not_at_all(
    database_url: str,
) -> None:
    app = App(database_url)
    connection = app.connection("location:L1")
    scenarios = [app.scenario(connection) for _ in range(2)]
    app.do(f"create function refuse_it() returns trigger language plpgsql as $$ begin"
           f" if new.scenario_id = '{scenarios[1]}' then"
           f" raise 'no' using errcode = '23514'; end if; return new; end $$")  # fmt: skip
    app.do(
        "create trigger refuse_it before insert on inbox for each row execute function refuse_it()"
    )
    event = app.event("ContactCreate")
    async with door(database_url) as it:
        try:
            assert (await app.tell(it, event)).status == 503
            stored = app.do("select from inbox where scenario_id = any(%s)", scenarios)
            seen = app.do("select from seen where key = %s", event["webhookId"])
            assert (stored, seen, app.counted()) == ([], [], (0, 0, 0))
        finally:
            app.do("drop trigger refuse_it on inbox")
            app.do("drop function refuse_it")
        async with working(database_url):
            assert (await app.tell(it, event)).status == 200
            await idle(database_url)
    assert app.runs(*scenarios) == [1, 1]


@asynchronous
async def test_an_app_that_was_removed_marks_its_connections_and_deletes_none(
    database_url: str,
) -> None:
    app, other = App(database_url), App(database_url)
    gone, stays = app.connection("location:L1"), app.connection("location:L2")
    foreign = other.connection("location:L1")
    by_agency = app.connection("company:C1", location_id="L1")

    def broken(connection: UUID) -> tuple[bool, str]:
        rows = app.do(
            "select broken_at is not null, coalesce(broken_reason, '') from connection_states"
            " where connection_id = %s", connection,
        )  # fmt: skip
        return (rows[0][0], rows[0][1])

    async with door(database_url) as it:
        early = app.event("UNINSTALL", timestamp="2999-01-01T00:00:00Z")
        assert (await app.tell(it, early)).status == 401
        before = json.dumps(app.do("select to_json(clock_timestamp() - interval '1 hour')")[0][0])
        late = app.event("UNINSTALL", timestamp=json.loads(before))
        assert (await app.tell(it, late)).status == 200
        assert broken(gone) == (False, "")  # it was authorised after that
        assert (await app.tell(it, app.event("UNINSTALL"))).status == 200
        for connection in (gone, by_agency):
            assert broken(connection)[0]
            assert "removed" in broken(connection)[1]
            assert "authorise it anew" in broken(connection)[1]
        assert [broken(each)[0] for each in (stays, foreign)] == [False, False]
        assert (await app.tell(it, app.event("INSTALL"))).status == 200
        assert broken(gone)[0]
        assert "installed again" in broken(gone)[1]
        assert [broken(each)[0] for each in (stays, foreign)] == [False, False]
        of_agency = app.event("UNINSTALL", companyId="C1")
        del of_agency["locationId"]
        assert (await app.tell(it, of_agency)).status == 200
        assert "removed" in broken(by_agency)[1]
        assert app.counted() == (4, 0, 1)
    assert app.do("select count(*) from connections where id = any(%s)", [gone, by_agency]) == [
        (2,)
    ]


@asynchronous
async def test_a_scenario_that_runs_dry_gets_nothing_new(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(database_url)
    connection = app.connection("location:L1")
    draining, other = app.scenario(connection), app.scenario(connection)
    async with door(database_url) as it, working(database_url):
        # Whatever this door has heard of it.
        monkeypatch.setattr(it.ingest, "_forget_hooks", lambda: None)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        app.do("update scenarios set draining_at = now() where id = %s", draining)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        app.do("update scenarios set draining_at = null where id = %s", draining)
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        await idle(database_url)
        assert app.runs(draining, other) == [2, 3]


@asynchronous
async def test_what_a_lost_connection_had_stored_is_not_stored_twice(database_url: str) -> None:
    app = App(database_url)
    scenario = app.scenario(app.connection("location:L1"))
    async with door(database_url) as it, working(database_url):
        fanout = it.ingest._fanout
        stored = fanout._store.accept
        line = fanout._line

        async def lost_after(spreads: Any, *, again: bool = False) -> None:
            """The answer to the commit gets lost, so that the same is stored again."""
            await stored(spreads, again=again)
            await idle(database_url)
            assert line._connection is not None
            await stored(spreads, again=True)

        fanout._store.accept = lost_after  # type: ignore[method-assign]  # a fault in its way
        assert (await app.tell(it, app.event("TaskCreate"))).status == 200
        await idle(database_url)
        assert app.runs(scenario) == [1]
