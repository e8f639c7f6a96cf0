"""The services of data stores on a real database: a run sees its own writes over what is stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from junctor.adapters.postgres.hot import Line
from junctor.connectors.datastore import datastore
from junctor.engine.commands import Address
from junctor.engine.plan import compile_plan
from junctor.errors import BundleInvalid, DataError, DuplicateData, Misconfigured, TooLarge
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.forms import bind
from junctor.language.records import stored
from junctor.language.scenario import Scenario
from junctor.runtime.plans import Plans, Prepared
from junctor.runtime.registry import Registry
from junctor.runtime.services import Asking, Services, Tools
from junctor.runtime.services import records as service
from junctor.runtime.staging import RecordWrite, StateWrite
from junctor.testing.transport import FakeTransport
from tests.support import asynchronous

BERLIN = ZoneInfo("Europe/Berlin")
SPEC = [{"name": "name", "type": "text", "required": True}, {"name": "born", "type": "date"}]
MODULE = 2


@dataclass
class Desk:
    """A run's module at work on one store, without a driver."""

    url: str
    asking: Asking
    store: UUID

    async def ask(self, ask: Any) -> Any:
        return await Services(self.asking.tools).do(ask, self.asking)

    async def do(self, name: str, mapper: dict[str, Any], **parameters: Any) -> Any:
        """One operation of a placed module."""
        module = datastore.modules[name]
        path = (*self.asking.address.path[:1], self.asking.address.path[-1] + 1)
        self.asking = replace(self.asking, address=Address(0, MODULE, path))
        flow = module.function(**bind(module, mapper, parameters))
        given = None
        try:
            while True:
                given = await self.ask(flow.send(given))
        except StopIteration as stop:
            return stop.value

    def holds(self, **records: Any) -> None:
        """What the store holds."""
        with psycopg.connect(self.url) as db, db.cursor() as cursor:
            cursor.executemany(
                "insert into data_store_records (organization_id, store_id, key, data, updated_by)"
                " values (%s, %s, %s, %s, 'test')",
                [
                    (self.asking.organization_id, self.store, key, json.dumps(stored(data)))
                    for key, data in records.items()
                ],
            )

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as db:
            cursor = db.execute(text.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def revision(self, key: str) -> int:
        text = "select revision from data_store_records where store_id = %s and key = %s"
        ((found,),) = self.sql(text, self.store, key)
        return int(found)

    async def keys(self, mapper: dict[str, Any] | None = None, **parameters: Any) -> list[str]:
        return [row["key"] for row in await self.do("SearchRecord", mapper or {}, **parameters)]


@asynccontextmanager
async def desk(url: str, *, spec: Any = None, strict: bool = False) -> AsyncIterator[Desk]:
    org, team, store, scenario, structure = (uuid4() for _ in range(5))
    with psycopg.connect(url) as db:
        db.execute(
            "insert into organizations (organization_id, name, created_by) values (%s, 'o', 't')",
            (org,),
        )
        db.execute(
            "insert into teams (organization_id, id, name, created_by) values (%s, %s, 't', 't')",
            (org, team),
        )
        db.execute(
            "insert into scenarios (organization_id, id, team_id, name, created_by, updated_by)"
            " values (%s, %s, %s, 's', 't', 't')",
            (org, scenario, team),
        )
        if spec is not None:
            db.execute(
                "insert into data_structures (organization_id, id, team_id, name, spec, strict,"
                " created_by, updated_by) values (%s, %s, %s, 'd', %s, %s, 't', 't')",
                (org, structure, team, json.dumps(spec), strict),
            )
        db.execute(
            "insert into data_stores (organization_id, id, team_id, name, structure_id,"
            " created_by, updated_by) values (%s, %s, %s, 'd', %s, 't', 't')",
            (org, store, team, structure if spec is not None else None),
        )
    prepared = Prepared(
        organization_id=org,
        scenario_id=scenario,
        version=1,
        name="s",
        plan=compile_plan(Scenario(name="s", flow=()), lambda _: None),
        zone=BERLIN,
        locale="en",
        country="",
        organization_name="o",
        bindings={"stores": {str(MODULE): str(store)}},
    )
    line = Line(url, patience=0)
    try:
        yield Desk(
            url,
            Asking(
                tools=Tools(line, FakeTransport(lambda _: pytest.fail("nothing is sent"))),
                organization_id=org,
                scenario_id=scenario,
                run_id=uuid4(),
                address=Address(0, MODULE, (0,)),
                parameters={},
                prepared=prepared,
            ),
            store,
        )
    finally:
        await line.close()


@asynchronous
async def test_values_keep_their_types(database_url: str) -> None:
    record = {
        "at": datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC),
        "file": b"\x00\xff",
        "number": 1.5,
        "none": None,
        "rows": [{"x": True}],
        "$date": "not one",
    }
    async with desk(database_url) as it:
        it.holds(a=record)
        assert await it.do("GetRecord", {"key": "a"}) == record
        await it.do("AddRecord", {"key": "b", "data": record})
        assert await it.do("GetRecord", {"key": "b"}) == record
        (write,) = it.asking.staged.to_apply().records
        assert write == RecordWrite(it.store, "b", stored(record), 0)
        json.dumps(write.data)  # plain, as the ledger writes it


@asynchronous
async def test_a_run_sees_its_own_writes_and_others_do_not(database_url: str) -> None:
    async with desk(database_url) as it:
        it.holds(a={"n": 1}, b={"n": 2}, c={"n": 3})
        await it.do("UpdateRecord", {"key": "b", "data": {"n": 9}})
        await it.do("DeleteRecord", {"key": "a"})
        await it.do("AddRecord", {"key": "z", "data": {"n": 0}})
        assert await it.do("CountRecords", {}) == {"count": 3}
        assert await it.do("GetRecord", {"key": "a"}) == {}
        assert await it.do("ExistRecord", {"key": "z"}) == {"exist": True}
        assert await it.keys() == ["b", "c", "z"]
        assert await it.keys({"sort": [{"key": "n", "order": -1}]}) == ["b", "c", "z"]
        assert await it.keys({"filter": [[{"a": "n", "b": "9", "o": "number:equal"}]]}) == ["b"]
        with pytest.raises(DuplicateData):
            await it.do("AddRecord", {"key": "z", "data": {}})
        rows = it.sql(
            "select key, data from data_store_records where store_id = %s order by 1", it.store
        )
        assert rows == [("a", {"n": 1}), ("b", {"n": 2}), ("c", {"n": 3})]
        assert it.asking.staged.to_apply().records == [
            RecordWrite(it.store, "b", {"n": 9}, it.revision("b")),
            RecordWrite(it.store, "a", None, it.revision("a")),
            RecordWrite(it.store, "z", {"n": 0}, 0),
        ]


@asynchronous
async def test_a_cleared_store_is_empty_to_its_run(database_url: str) -> None:
    async with desk(database_url) as it:
        it.holds(a={"n": 1}, b={"n": 2})
        await it.do("AddRecord", {"key": "c", "data": {}})
        assert await it.do("DeleteAllRecords", {}) == {"count": 3}
        assert await it.do("CountRecords", {}) == {"count": 0}
        assert await it.keys() == []
        await it.do("AddRecord", {"key": "a", "data": {"n": 5}, "overwrite": False})
        assert await it.keys() == ["a"]
        assert await it.do("CountRecords", {}) == {"count": 1}
        assert it.asking.staged.to_apply() == (
            [RecordWrite(it.store, "a", {"n": 5}, None)],
            frozenset({it.store}),
            [],
        )


@asynchronous
async def test_done_again_a_module_stands_on_what_is_there_by_then(database_url: str) -> None:
    async with desk(database_url) as it:
        it.holds(a={"n": 1})
        before = it.asking.staged.mark()
        await it.do("UpdateRecord", {"key": "a", "data": {"m": 1}})
        it.sql(
            "update data_store_records set data = '{\"n\": 2}' where store_id = %s",
            it.store,
        )
        it.asking.staged.restore(before)
        await it.do("UpdateRecord", {"key": "a", "data": {"m": 1}})
        assert it.asking.staged.to_apply().records == [
            RecordWrite(it.store, "a", {"n": 2, "m": 1}, it.revision("a"))
        ]


@asynchronous
async def test_made_keys_are_fresh(database_url: str) -> None:
    async with desk(database_url) as it:
        made = {(await it.do("AddRecord", {"key": "", "data": {}}))["key"] for _ in range(20)}
        assert len(made) == 20
        assert {each.expected for each in it.asking.staged.to_apply().records} == {0}


@asynchronous
async def test_records_must_fit_the_structure(database_url: str) -> None:
    async with desk(database_url, spec=SPEC, strict=True) as it:
        await it.do("AddRecord", {"key": "a", "data": {"name": 7, "born": "2026-07-01 10:00"}})
        found = await it.do("GetRecord", {"key": "a"})
        assert found == {"name": "7", "born": datetime(2026, 7, 1, 8, tzinfo=UTC)}
        with pytest.raises(BundleInvalid, match=r"name.*required"):
            await it.do("AddRecord", {"key": "b", "data": {}})
        with pytest.raises(BundleInvalid, match=r"more.*strict"):
            await it.do("UpdateRecord", {"key": "a", "data": {"more": 1}})
        it.holds(old={"name": "Eve", "gone": 1})  # of an older structure
        await it.do("UpdateRecord", {"key": "old", "data": {"name": "Eva"}})
        assert await it.do("GetRecord", {"key": "old"}) == {"name": "Eva", "gone": 1}
        assert await it.do("CountRecords", {}) == {"count": 2}


@asynchronous
async def test_what_is_bound_to_nothing_says_so(database_url: str) -> None:
    async with desk(database_url) as it:
        assert it.asking.prepared is not None
        unbound = replace(it.asking.prepared, bindings={})
        it.asking = replace(it.asking, prepared=unbound)
        with pytest.raises(Misconfigured, match="module 2 is bound to no data store"):
            await it.do("CountRecords", {})
    async with desk(database_url) as it:
        it.sql("delete from data_stores where id = %s", it.store)
        with pytest.raises(Misconfigured, match=r"dst_.* is gone"):
            await it.do("GetRecord", {"key": "a"})


@asynchronous
async def test_a_search_goes_through_a_large_store_page_by_page(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 7)
    async with desk(database_url) as it:
        it.holds(**{f"k{n:03}": {"n": n * 37 % 100} for n in range(100)})
        await it.do("UpdateRecord", {"key": "k050", "data": {"n": -1}})
        await it.do("DeleteRecord", {"key": "k000"})
        assert await it.keys() == [f"k{n:03}" for n in range(1, 100)]
        assert await it.keys(limit=2) == ["k001", "k002"]
        order = {"sort": [{"key": "n", "order": 1}]}
        found = await it.do("SearchRecord", {**order, "mappAbleLimit": 4})
        assert [row["data"]["n"] for row in found] == [-1, 1, 2, 3]
        assert len(await it.keys(order)) == 99


@asynchronous
async def test_large_records_come_one_by_one_and_too_many_are_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_BYTES", 100)
    monkeypatch.setattr(service, "MOST_FOUND", 40_000)
    async with desk(database_url) as it:
        it.holds(**{f"k{n}": {"text": "x" * 9000, "n": n} for n in range(5)})
        rows = await it.asking.tools.line.fetch(
            "record_page",
            {
                "organization": it.asking.organization_id,
                "store": it.store,
                "after": None,
                "limit": 5,
                "most": 100,
            },
        )
        assert len(rows) == 1
        with pytest.raises(DataError, match="give it a limit"):
            await it.keys()
        assert await it.keys(limit=3) == ["k0", "k1", "k2"]
        order = {"sort": [{"key": "n", "order": -1}]}
        assert await it.keys({**order, "mappAbleLimit": 2}) == ["k4", "k3"]
        with pytest.raises(TooLarge, match="record 'big'"):
            await it.do("AddRecord", {"key": "big", "data": {"x": "y" * 16_000_000}})


@asynchronous
async def test_a_module_remembers(database_url: str) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    async with desk(database_url) as it:
        assert await it.ask(ReadState()) is None
        await it.ask(WriteState({"last": at}))
        await it.ask(WriteState(1, "cycle"))
        assert await it.ask(ReadState()) == {"last": at}
        assert await it.ask(ReadState("cycle")) == 1
        assert await it.ask(ReadState("run")) is None
        assert it.asking.staged.to_apply().states == [
            StateWrite(MODULE, {"last": {"$date": "2026-01-02T00:00:00.000Z"}}, 0)
        ]
    async with desk(database_url) as it:
        it.sql(
            "insert into module_states (organization_id, scenario_id, module, state)"
            " values (%s, %s, %s, '5')",
            it.asking.organization_id,
            it.asking.scenario_id,
            MODULE,
        )
        assert await it.ask(ReadState()) == 5
        await it.ask(WriteState(6))
        ((revision,),) = it.sql(
            "select revision from module_states where scenario_id = %s", it.asking.scenario_id
        )
        assert it.asking.staged.to_apply().states == [StateWrite(MODULE, 6, revision)]


@asynchronous
async def test_a_plan_gives_modules_the_structures_they_are_bound_to(database_url: str) -> None:
    async with desk(database_url, spec=SPEC, strict=True) as it:
        org, scenario = it.asking.organization_id, it.asking.scenario_id
        ((structure,),) = it.sql("select structure_id from data_stores where id = %s", it.store)
        flow = [{"id": 3, "module": "json:ParseJSON", "version": 1, "mapper": {"json": "{}"}}]
        it.sql(
            "insert into scenario_versions (organization_id, scenario_id, version, blueprint,"
            " bindings, created_by) values (%s, %s, 1, %s, %s, 't')",
            org,
            scenario,
            json.dumps({"name": "s", "flow": flow, "metadata": {"version": 1}}),
            json.dumps({"structures": {"3": str(structure)}}),
        )
        plans = Plans(it.asking.tools.line, Registry.load().find)
        prepared = await plans.get(org, scenario, 1)
        assert prepared.plan.head is not None
        given = prepared.plan.head.parameters["__structure__"]
        assert given == {"spec": SPEC, "strict": True}
        it.sql("update data_stores set structure_id = null where id = %s", it.store)
        it.sql("delete from data_structures where id = %s", structure)
        assert await plans.get(org, scenario, 1) is prepared
        with pytest.raises(Misconfigured, match=r"module 3 .* str_.* is gone"):
            await Plans(it.asking.tools.line, Registry.load().find).get(org, scenario, 1)
