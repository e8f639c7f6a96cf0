"""The history searched, filtered and exported; what it keeps."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.app import indexing, search
from junctor.app.indexing import forget_texts, index_history
from junctor.app.search import Filters, as_csv
from junctor.language.people import lexemes
from tests.api import history_scene as scene
from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, flow
from tests.support import asynchronous

BAD = ("json:ParseJSON", {"json": "{{1.text}}"})


async def ran(it: Any, url: str, *bodies: dict[str, Any], name: str = "") -> UUID:
    """A scenario and its runs, ended and indexed; those with a text fail."""
    scenario, path = scene.plant(url, it.organization_id, flow(WEBHOOK, SET, BAD), stores={})
    if name:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("update scenarios set name = %s where id = %s", (name, scenario))
    before = len(kit.states(url))
    async with scene.working(it.core, url):
        for body in bodies:
            assert (await it.client.post(path, json=body)).status_code == 200
        await kit.until(
            lambda: (
                len(kit.states(url)) == before + len(bodies)
                and {*kit.states(url).values()} <= {"finished", "incomplete"}
            )
        )
    await index_history(it.core)
    return scenario


async def numbers(it: Any, **query: Any) -> list[int]:
    """The ``n`` of the runs that are found, newest first."""
    answer = await it.client.get("/api/v1/runs", params=query)
    assert answer.status_code == 200, answer.text
    out = []
    for run in answer.json()["items"]:
        shown = await it.client.get(f"/api/v1/runs/{run['id']}/operations")
        first = shown.json()["operations"][0]["bundles"][0]
        out.append(first["n"])
    return out


@asynchronous
async def test_runs_are_found_by_what_is_in_them(api: Any, database_url: str) -> None:
    async with api() as it:
        scenario = await ran(
            it,
            database_url,
            {"n": 1, "text": '{"a": 1}', "phone": "+1 (202) 555-0142", "who": "Ada Lovelace"},
            {"n": 2, "text": "no json", "phone": "202-555-0143", "mail": "Ada@Example.com"},
            {"n": 3, "text": "neither", "url": "https://x/?token=hush123456&a=1"},
        )
        for typed, expected in {
            "+12025550142": [1],
            "+1202*": [1],
            "(202) 555-0142": [1],
            "ada +1 202 555 0142": [1],
            "+1 202.555.0142 lovelace": [1],
            "lovelace 202 555 0143": [],
            "555-0142": [1],
            "202 ada": [2, 1],
            "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0664\u0662": [1],
            "\uff21\uff24\uff21": [2, 1],
            "2025550143": [2],
            "ada": [2, 1],
            "ada lovelace": [1],
            "LOVE*": [1],
            "ada@example.com": [2],
            "hush123456": [],
            "nobody": [],
        }.items():
            assert await numbers(it, q=typed) == expected, typed
        assert await numbers(it, state="incomplete") == [3, 2]
        assert await numbers(it, error="DataError") == [3, 2]
        assert await numbers(it, error="dataerror", q="ada") == [2]
        assert await numbers(it, error="ConnectionError") == []
        assert await numbers(it, module=3) == [3, 2]
        assert await numbers(it, module=4) == []
        assert await numbers(it, trigger="delivery") == [3, 2, 1]
        assert await numbers(it, trigger="schedule") == []
        assert await numbers(it, since="1h") == [3, 2, 1]
        assert await numbers(it, until="1h") == []
        assert await numbers(it, since="2020-01-01", until="2021-01-01T00:00Z") == []
        assert await numbers(it, min_operations=4) == []
        first = (await it.client.get("/api/v1/runs", params={"q": "n", "limit": 1})).json()
        assert len(first["items"]) == 1
        rest = await it.client.get("/api/v1/runs", params={"q": "n", "cursor": first["next"]})
        assert len(rest.json()["items"]) == 2
        for wrong in (
            {"q": " … "},
            {"since": "soon"},
            {"state": "odd"},
            {"module": "x"},
            {"trigger": "shedule"},
        ):
            refused = await it.client.get("/api/v1/runs", params=wrong)
            assert refused.status_code in {400, 422}, wrong
        # Nobody else's runs are found.
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("update runs set name = 'x' where scenario_id = %s", (scenario,))


@asynchronous
async def test_words_are_looked_up_once_for_many_pages_of_csv(
    api: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api() as it:
        bodies: list[dict[str, Any]] = [{"n": n, "text": "Kumquat"} for n in range(5)]
        await ran(it, database_url, *bodies)
        listed = await it.client.get("/api/v1/runs", params={"q": "kumquat", "limit": 3})
        page = listed.json()
        rest = {"q": "kumquat", "limit": 3, "cursor": page["next"]}
        page["items"] += (await it.client.get("/api/v1/runs", params=rest)).json()["items"]
        assert len(page["items"]) == 5
        looked: list[int] = []
        ids_of = search._ids

        async def counted(*given: Any) -> list[UUID]:
            found = await ids_of(*given)
            looked.append(len(found))
            return found

        monkeypatch.setattr(search, "_ids", counted)
        monkeypatch.setattr(search, "_IDS", 4)
        monkeypatch.setattr(search, "_PAGE", 2)
        text = (await it.client.get("/api/v1/runs.csv", params={"q": "kumquat"})).text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["run"] for row in rows] == [each["id"] for each in page["items"]]
        assert looked[-2:] == [4, 1]


@asynchronous
async def test_a_spreadsheet_takes_nothing_for_a_formula(api: Any, database_url: str) -> None:
    async with api() as it:
        scenario = await ran(
            it, database_url, {"n": 9, "text": "broken"}, name='=HYPERLINK("http://x")'
        )
        shown = await it.client.get("/api/v1/scenarios")
        id_ = next(s["id"] for s in shown.json()["items"] if s["name"].startswith("="))
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("update runs set name = '@x' where scenario_id = %s", (scenario,))
        answer = await it.client.get("/api/v1/runs.csv", params={"scenario": id_})
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["scenario"] for row in rows] == ['\'=HYPERLINK("http://x")']
        assert (rows[0]["name"], rows[0]["status"], rows[0]["module"]) == ("'@x", "incomplete", "3")
        assert rows[0]["error"] == "DataError"
        every = await it.client.get("/api/v1/runs.csv")
        listed = await it.client.get("/api/v1/runs", params={"limit": 200})
        assert len(every.text.splitlines()) == 1 + len(listed.json()["items"])
        few = as_csv(it.core, it.organization_id, Filters(), {}, most=1)
        assert len("".join([page async for page in few]).splitlines()) == 2
        refused = await it.client.get("/api/v1/runs.csv", params={"q": "*"})
        assert refused.status_code in {400, 422}


@asynchronous
async def test_the_index_is_capped_and_leaves_confidential_scenarios_out(
    api: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api() as it:
        monkeypatch.setattr(indexing, "MOST_TERMS", 20)
        words = " ".join(f"word{n}" for n in range(500))
        scenario = await ran(it, database_url, {"n": 1, "text": words})
        with psycopg.connect(database_url, autocommit=True) as db:
            size, partial = db.execute(
                "select length(words), partial from run_texts t join runs r on r.id = t.run_id"
                " where r.scenario_id = %s",
                (scenario,),
            ).fetchone() or (0, None)
            assert (size, partial) == (20, True)
            db.execute("alter table scenarios add column if not exists confidential boolean")
            db.execute("update scenarios set confidential = true where id = %s", (scenario,))
            assert (await forget_texts(it.core))["texts"] == 1
            assert (await forget_texts(it.core))["texts"] == 0
            assert (await index_history(it.core))["indexed"] == 0
            # Its run is gone: so is its text.
            db.execute("update scenarios set confidential = false where id = %s", (scenario,))
            assert (await index_history(it.core))["indexed"] == 1
            db.execute("delete from runs where scenario_id = %s", (scenario,))
        assert (await forget_texts(it.core))["texts"] == 1


@asynchronous
async def test_nothing_that_is_asked_for_is_a_fault(api: Any) -> None:
    odd = [
        ("name", "a\0b"), ("error", "\0"), ("trigger", "\0"), ("q", "\0"), ("q", "'\\:*&|!<->"),
        ("q", "x" * 490 + "@y.z"), ("q", "世" * 490 + "@y.z"), ("since", "999999w"),
        ("since", "0001-01-01T00:00+14:00"), ("until", "9999-12-31T23:59-12:00"),
        ("until", "9999-12-31"), ("until", "1066-10-14"), ("cursor", "AAAA"),
        ("min_operations", str(2**53)),
    ]  # fmt: skip
    async with api() as it:
        for name, value in odd:
            for path in ("/api/v1/runs", "/api/v1/runs.csv"):
                answer = await it.client.get(path, params={name: value})
                assert answer.status_code < 500, (name, value, answer.text)
        for path, body in (
            ("/api/v1/variables", {"name": "n", "value": {"deep": ["\0"]}}),
            ("/api/v1/scenarios", {"name": "a\0b", "blueprint": {"name": "x", "flow": []}}),
            ("/api/v1/data-stores", {"name": "a\0b"}),
        ):
            answer = await it.client.post(path, json=body)
            assert answer.status_code < 500, (path, answer.text)


@asynchronous
async def test_nul_in_what_comes_in_stops_nothing(api: Any, database_url: str) -> None:
    async with api() as it:
        await ran(it, database_url, {"n": 81, "text": "a\0b"}, {"n": 82, "text": "c"})
        assert set(await numbers(it, state="incomplete")) >= {81, 82}


@asynchronous
async def test_what_can_not_be_indexed_keeps_nothing_else_from_being_found(
    api: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with one run, of whomever, is no reason to stop at it for ever."""
    async with api() as it:

        def failing(text: str) -> Any:
            if "poison" in text:
                raise ValueError(text)
            return lexemes(text)

        monkeypatch.setattr("junctor.app.indexing.lexemes", failing)
        await ran(it, database_url, {"n": 71, "text": "poison"}, {"n": 72, "text": "medicine"})
        assert await numbers(it, q="medicine") == [72]
        monkeypatch.setattr("junctor.app.indexing.lexemes", lexemes)
        await index_history(it.core)
        assert await numbers(it, q="poison") == [71]


@asynchronous
async def test_new_scenarios_keep_what_their_organisation_says(api: Any) -> None:
    async with api() as it:
        text = flow(WEBHOOK)
        changed = await it.client.patch(
            "/api/v1/organization", json={"retention": "long"}, headers={"if-match": "*"}
        )
        assert changed.json()["retention"] == "long"
        make = it.core.catalog.create_scenario
        made = await make(it.organization_id, actor="t", name="a", blueprint=text)
        assert made.retention == "long"
        short = await make(
            it.organization_id, actor="t", name="b", blueprint=text, retention="short"
        )
        assert short.retention == "short"
        wrong = await it.client.patch(
            "/api/v1/organization", json={"retention": "ever"}, headers={"if-match": "*"}
        )
        assert wrong.status_code in {400, 422}
