from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.system import system_ids
from junctor.errors import Conflict, Misconfigured, NotFound
from junctor.ports.catalog import Catalog
from tests.integration.postgres.support import catalog_on
from tests.support import asynchronous

IDS = system_ids()


@asynccontextmanager
async def tenant_on(url: str) -> AsyncIterator[tuple[Catalog, UUID]]:
    async with catalog_on(url) as catalog:
        made, _ = await catalog.create_organization("Acme", actor="test", zone="Europe/Berlin")
        yield catalog, made.organization_id


@asynchronous
async def test_an_organization_starts_with_a_team(database_url: str) -> None:
    async with catalog_on(database_url) as catalog:
        made, team = await catalog.create_organization("Acme", actor="ops", team="Sales")
        assert await catalog.organization(made.organization_id) == made
        assert await catalog.teams(made.organization_id) == [team]
        assert made in await catalog.organizations()
        changed = await catalog.update_organization(
            made.organization_id, actor="ops", revision=1, zone="Asia/Tokyo", country="JP"
        )
        assert (changed.name, changed.zone, changed.revision) == ("Acme", "Asia/Tokyo", 2)
        with pytest.raises(Conflict, match="organisation was changed by someone else"):
            await catalog.update_organization(
                made.organization_id, actor="ops", revision=1, name="X"
            )
        with pytest.raises(Misconfigured, match=r"'Mars/Base' is no time zone"):
            await catalog.update_organization(made.organization_id, actor="ops", zone="Mars/Base")
        with pytest.raises(NotFound):
            await catalog.organization(IDS.new())


@asynchronous
async def test_a_token_is_found_by_its_text_until_it_ends(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        made, text = await catalog.create_token(
            org, actor="ops", name="ci", scopes=["scenarios:read"]
        )
        assert len(text) == 47
        assert text.startswith("jct_")
        found = await catalog.find_token(text)
        assert found is not None
        assert (found.id, found.organization_id, found.scopes) == (made.id, org, ["scenarios:read"])
        assert (await catalog.tokens(org))[0].used_at is not None
        assert await catalog.find_token(text[:-1] + "!") is None
        assert await catalog.find_token("other") is None

        revoked = await catalog.revoke_token(org, made.id, actor="ops")
        assert revoked.revoked_at is not None
        assert await catalog.find_token(text) is None

        _, old = await catalog.create_token(
            org, actor="ops", name="old", scopes=[], expires_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
        assert await catalog.find_token(old) is None
        with pytest.raises(NotFound, match="The token was not found"):
            await catalog.revoke_token(org, IDS.new(), actor="ops")


@asynchronous
async def test_a_scenario_goes_from_draft_to_running_to_gone(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        made = await catalog.create_scenario(org, actor="ann", name="Calls", blueprint='{"a":1.0}')
        assert (made.active, made.draft, made.published, made.revision) == (False, 1, None, 1)
        with pytest.raises(Conflict, match="'Calls' can't run yet: publish it first"):
            await catalog.set_active(org, made.id, actor="ann", active=True)

        saved = await catalog.save_draft(
            org,
            made.id,
            actor="bob",
            blueprint='{"a":2.50}',
            bindings={"connections": {"3": "x"}},
            revision=1,
        )
        assert (saved.draft, saved.revision, saved.updated_by) == (2, 2, "bob")
        with pytest.raises(Conflict):
            await catalog.save_draft(
                org, made.id, actor="ann", blueprint="{}", bindings={}, revision=1
            )
        version = await catalog.version(org, made.id, 2)
        assert (version.blueprint, version.bindings) == (
            '{"a":2.50}',
            {"connections": {"3": "x"}},
        )
        assert (await catalog.version(org, made.id, 1)).blueprint == '{"a":1.0}'
        page = await catalog.versions(org, made.id, limit=1)
        assert [info.version for info in page.items] == [2]
        rest = await catalog.versions(org, made.id, limit=1, cursor=page.cursor)
        assert ([info.version for info in rest.items], rest.cursor) == ([1], None)

        with pytest.raises(NotFound, match="Version 9 of the scenario"):
            await catalog.publish(org, made.id, actor="ann", version=9)
        assert (await catalog.publish(org, made.id, actor="ann")).published == 2
        assert (await catalog.publish(org, made.id, actor="ann", version=1)).published == 1
        active = await catalog.set_active(org, made.id, actor="ann", active=True)
        assert active.active
        with pytest.raises(Conflict, match="deactivate it first"):
            await catalog.delete_scenario(org, made.id, actor="ann")
        renamed = await catalog.update_scenario(
            org, made.id, actor="ann", revision=active.revision, name="Calls 2", retention="long"
        )
        assert (renamed.name, renamed.retention, renamed.detail) == ("Calls 2", "long", "full")

        await catalog.set_active(org, made.id, actor="ann", active=False)
        with pytest.raises(Conflict, match="changed by someone else"):
            await catalog.delete_scenario(org, made.id, actor="ann", revision=1)
        await catalog.delete_scenario(org, made.id, actor="ann")
        for work in (
            catalog.scenario(org, made.id),
            catalog.version(org, made.id, 1),
            catalog.delete_scenario(org, made.id, actor="ann"),
            catalog.set_active(org, made.id, actor="ann", active=False),
        ):
            with pytest.raises(NotFound):
                await work


@asynchronous
async def test_two_savers_get_two_versions(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        made = await catalog.create_scenario(org, actor="ann", name="S", blueprint="{}")
        await asyncio.gather(
            *(
                catalog.save_draft(org, made.id, actor="ann", blueprint=f"{n}", bindings={})
                for n in range(6)
            )
        )
        page = await catalog.versions(org, made.id)
        assert [info.version for info in page.items] == [7, 6, 5, 4, 3, 2, 1]


@asynchronous
async def test_deleting_a_scenario_takes_what_waits_along(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        made = await catalog.create_scenario(org, actor="ann", name="S", blueprint="{}")
        run = IDS.new()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute(
                "insert into inbox (organization_id, id, scenario_id, payload) "
                "values (%s,%s,%s,'')",
                (org, IDS.new(), made.id),
            )
            owner.execute(
                "insert into backlog (organization_id, scenario_id, blocked_by_run) "
                "values (%s,%s,%s)",
                (org, made.id, run),
            )
            owner.execute(
                "insert into runs (organization_id, id, retention, scenario_id, version, state, "
                "actor, started_at) values (%s,%s,'standard',%s,1,'incomplete','x',now())",
                (org, run, made.id),
            )
        (queue,) = (await catalog.queues(org)).items
        assert (queue.scenario_id, queue.deliveries, queue.blocked_by_run) == (made.id, 1, run)
        assert [r.id for r in (await catalog.runs(org, states=["incomplete"])).items] == [run]

        await catalog.delete_scenario(org, made.id, actor="ann")
        assert (await catalog.queues(org)).items == []
        assert (await catalog.run(org, run)).state == "discarded"
        entry = (await catalog.audit(org)).items[0]
        assert (entry.verb, entry.details) == ("delete", {"name": "S", "deliveries": 1})


@asynchronous
async def test_lists_come_in_pages_newest_first(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        names = [f"S{n}" for n in range(5)]
        for name in names:
            await catalog.create_scenario(org, actor="ann", name=name, blueprint="{}")
        seen: list[str] = []
        cursor = None
        while True:
            page = await catalog.scenarios(org, cursor=cursor, limit=2)
            seen += [row.name for row in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == names[::-1]
        assert (await catalog.scenarios(org, active=True)).items == []
        for wrong in ("nonsense", "a", "é", "AAAA"):
            with pytest.raises(Misconfigured, match="cursor is not one that this list gave"):
                await catalog.scenarios(org, cursor=wrong)


@asynchronous
async def test_a_connection_keeps_its_secret_to_its_address(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        id_ = IDS.new()
        made = await catalog.create_connection(
            org,
            actor="ann",
            id=id_,
            name="Toky",
            connector="toky",
            kind="toky",
            base_url="https://api.toky.co",
            settings={"a": 1},
            sealed=b"\x01sealed",
        )
        assert "sealed" not in repr(made)
        assert await catalog.connection(org, id_) == made
        with pytest.raises(Misconfigured, match="enter the secret again"):
            await catalog.update_connection(org, id_, actor="ann", base_url="https://evil.example")
        tested = await catalog.note_test(org, id_, actor="ann", error=None)
        assert tested.tested_at is not None
        moved = await catalog.update_connection(
            org, id_, actor="ann", revision=1, base_url="https://b.example", sealed=b"new"
        )
        assert (moved.sealed, moved.tested_at, moved.revision) == (b"new", None, 2)
        with pytest.raises(Conflict, match="A connection of that name exists already"):
            await catalog.create_connection(
                org,
                actor="ann",
                id=IDS.new(),
                name="Toky",
                connector="toky",
                kind="toky",
                base_url="https://api.toky.co",
                settings={},
                sealed=b"",
            )
        assert (await catalog.connections(org, connector="crisp")).items == []
        scenario = await catalog.create_scenario(
            org,
            actor="ann",
            name="Calls",
            blueprint="{}",
            bindings={"connections": {"1": str(id_)}},
        )
        with pytest.raises(Conflict, match="used by the scenario Calls"):
            await catalog.delete_connection(org, id_, actor="ann")
        await catalog.delete_scenario(org, scenario.id, actor="ann")
        await catalog.delete_connection(org, id_, actor="ann")
        assert (await catalog.connections(org)).items == []


@asynchronous
async def test_a_hook_has_a_secret_address(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        scenario = await catalog.create_scenario(org, actor="ann", name="S", blueprint="{}")
        made = await catalog.create_hook(
            org,
            actor="ann",
            name="New call",
            connector="toky",
            kind="newCall",
            scenario_id=scenario.id,
            module=1,
            settings={"event": "x"},
        )
        assert len(made.token) == 32
        assert made.token.isalnum()
        assert made.token not in repr(made)
        assert (await catalog.hooks(org, scenario_id=scenario.id)).items == [made]
        off = await catalog.update_hook(org, made.id, actor="ann", revision=1, enabled=False)
        assert (off.enabled, off.settings) == (False, {"event": "x"})
        noted = await catalog.note_registration(
            org, made.id, actor="system", registration={"id": "7"}, error=None
        )
        assert (noted.registration, noted.revision) == ({"id": "7"}, off.revision)
        loose = await catalog.bind_hook(org, made.id, actor="ann", scenario_id=None, module=None)
        assert (loose.scenario_id, loose.module) == (None, None)
        with pytest.raises(NotFound, match="names something that was not found"):
            await catalog.bind_hook(org, made.id, actor="ann", scenario_id=IDS.new(), module=1)
        await catalog.delete_hook(org, made.id, actor="ann")
        with pytest.raises(NotFound):
            await catalog.hook(org, made.id)


@asynchronous
async def test_a_data_store_keeps_records_by_key(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        store = await catalog.create_store(org, actor="ann", name="Contacts")
        for key in ("b", "a", "c", "a"):
            await catalog.put_record(org, store.id, key, {"n": [key, 1.5, None]}, actor="ann")
        page = await catalog.records(org, store.id, limit=2)
        assert [row.key for row in page.items] == ["a", "b"]
        rest = await catalog.records(org, store.id, limit=2, cursor=page.cursor)
        assert [row.key for row in rest.items] == ["c"]
        assert (await catalog.record(org, store.id, "a")).data == {"n": ["a", 1.5, None]}
        await catalog.delete_record(org, store.id, "a", actor="ann")
        with pytest.raises(NotFound, match="The record was not found"):
            await catalog.record(org, store.id, "a")
        with pytest.raises(NotFound):
            await catalog.put_record(org, IDS.new(), "k", {}, actor="ann")
        assert (await catalog.stores(org)).items == [store]
        await catalog.delete_store(org, store.id, actor="ann")
        assert (await catalog.records(org, store.id)).items == []


@asynchronous
async def test_another_organization_sees_nothing_of_it(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        scenario = await catalog.create_scenario(org, actor="ann", name="S", blueprint="{}")
        other, _ = await catalog.create_organization("Other", actor="ops")
        for work in (
            catalog.scenario(other.organization_id, scenario.id),
            catalog.update_scenario(other.organization_id, scenario.id, actor="x", name="mine"),
            catalog.delete_scenario(other.organization_id, scenario.id, actor="x"),
            catalog.version(other.organization_id, scenario.id, 1),
        ):
            with pytest.raises(NotFound):
                await work
        assert (await catalog.scenarios(other.organization_id)).items == []


@asynchronous
async def test_the_audit_log_shows_every_write_and_every_forgery(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        await asyncio.gather(
            *(
                catalog.note(org, actor="ann", verb="look", object=f"run_{n}", details={"n": n})
                for n in range(8)
            )
        )
        page = await catalog.audit(org, limit=3)
        assert [entry.seq for entry in page.items] == [9, 8, 7]
        rest = await catalog.audit(org, limit=10, cursor=page.cursor)
        assert [entry.seq for entry in rest.items] == [6, 5, 4, 3, 2, 1]
        assert (rest.items[-1].verb, rest.items[-1].actor) == ("create", "test")
        assert await catalog.verify_audit(org) is None

        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute(
                "update audit set actor = 'eve' where organization_id = %s and seq = 5", (org,)
            )
            assert await catalog.verify_audit(org) == 5
            owner.execute("delete from audit where organization_id = %s and seq = 5", (org,))
            assert await catalog.verify_audit(org) == 6


@asynchronous
async def test_what_waits_is_listed_page_by_page(database_url: str) -> None:
    async with tenant_on(database_url) as (catalog, org):
        made = await catalog.create_scenario(org, actor="ann", name="S", blueprint="{}")
        with psycopg.connect(database_url, autocommit=True) as owner:
            for number in range(6):
                owner.execute(
                    "insert into inbox (organization_id, id, scenario_id, order_key, payload,"
                    " received_at) values (%s, %s, %s, %s, '', '2026-01-01'::timestamptz"
                    " + make_interval(secs => %s))",
                    (org, IDS.new(), made.id, f"k:{number}", number // 2),
                )
            for key in ("k:4", "k:5", "k:gone"):  # nothing stands behind the last
                owner.execute(
                    "insert into backlog (organization_id, scenario_id, order_key, blocked_by_run)"
                    " values (%s, %s, %s, %s)",
                    (org, made.id, key, IDS.new()),
                )
        whole = [each.order_key for each in (await catalog.queues(org)).items]
        assert whole == ["k:4", "k:5", "k:gone", "k:0", "k:1", "k:2", "k:3"]
        found: list[str] = []
        cursor = None
        while len(found) < len(whole):
            page = await catalog.queues(org, cursor=cursor, limit=1)
            found += [each.order_key for each in page.items]
            cursor = page.cursor
        assert (found, cursor) == (whole, None)
        with pytest.raises(Misconfigured, match="cursor"):
            await catalog.queues(org, cursor="bm9uZQ")
