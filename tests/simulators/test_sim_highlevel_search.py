from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sim_client import Time, Vendor

from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.highlevel_search import page_of_list, page_of_search
from junctor.simulators.kit import running
from junctor.simulators.routes import Refused

ROWS = [
    {
        "id": f"id{number:03d}",
        "name": f"Person {number}",
        "firstName": "Even" if number % 2 == 0 else "Odd",
        "email": f"p{number}@example.com",
        "tags": ["vip"] if number % 5 == 0 else [],
        "dateAdded": f"2026-01-01T00:00:{number:02d}.000Z",
        **({"city": "Austin"} if number < 3 else {}),
    }
    for number in range(45)
]


def search(**body: Any) -> dict[str, Any]:
    return page_of_search(ROWS, {"locationId": "l", "pageLimit": 100, **body})


def ids(result: dict[str, Any]) -> list[int]:
    return [int(row["id"][2:]) for row in result["contacts"]]


def test_pages_by_number_and_by_search_after_give_the_same() -> None:
    by_page = [ids(search(pageLimit=20, page=page)) for page in (1, 2, 3, 4)]
    assert [len(page) for page in by_page] == [20, 20, 5, 0]
    assert by_page[0][0] == 44  # newest first
    after: list[Any] = []
    seen: list[int] = []
    for _ in range(3):
        result = search(pageLimit=20, **({"searchAfter": after} if after else {}))
        assert result["total"] == 45
        seen += ids(result)
        after = result["contacts"][-1]["searchAfter"]
    assert seen == [number for page in by_page for number in page]
    assert ids(search(searchAfter=after)) == []


def test_search_after_survives_rows_added_meanwhile() -> None:
    first = search(pageLimit=10)
    newer = {**ROWS[0], "id": "id099", "dateAdded": "2026-02-01T00:00:00.000Z"}
    body = {"pageLimit": 10, "searchAfter": first["contacts"][-1]["searchAfter"]}
    second = page_of_search([*ROWS, newer], body)
    assert ids(second)[0] == ids(first)[-1] - 1


def test_sorting_puts_what_is_missing_last() -> None:
    for direction in ("asc", "desc"):
        sort = [{"field": "city", "direction": direction}]
        assert set(ids(search(sort=sort))[:3]) == {0, 1, 2}
    sort = [{"field": "firstName", "direction": "asc"}, {"field": "dateAdded", "direction": "desc"}]
    pages, after = [], None
    for _ in range(5):
        result = search(sort=sort, pageLimit=10, **({"searchAfter": after} if after else {}))
        pages += ids(result)
        after = result["contacts"][-1]["searchAfter"]
    assert pages == ids(search(sort=sort))
    assert pages[:2] == [44, 42]


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ({"field": "firstName", "operator": "eq", "value": "even"}, 23),
        ({"field": "firstName", "operator": "not_eq", "value": "Even"}, 22),
        ({"field": "email", "operator": "contains", "value": "P1"}, 11),
        ({"field": "email", "operator": "not_contains", "value": "p1"}, 34),
        ({"field": "tags", "operator": "eq", "value": ["vip"]}, 9),
        ({"field": "tags", "operator": "contains", "value": "vi"}, 9),
        ({"field": "city", "operator": "exists"}, 3),
        ({"field": "tags", "operator": "not_exists"}, 36),
        ({"field": "id", "operator": "eq", "value": ["id001", "id002"]}, 2),
        (
            {
                "field": "dateAdded",
                "operator": "range",
                "value": {"gte": "2026-01-01T00:00:40Z", "lt": "2026-01-02"},
            },
            5,
        ),
        (
            {
                "group": "OR",
                "filters": [
                    {"field": "city", "operator": "exists"},
                    {
                        "group": "AND",
                        "filters": [
                            {"field": "firstName", "operator": "eq", "value": "odd"},
                            {"field": "tags", "operator": "eq", "value": "vip"},
                        ],
                    },
                ],
            },
            7,
        ),
    ],
)
def test_filters(rule: dict[str, Any], count: int) -> None:
    assert search(filters=[rule])["total"] == count


def test_query_finds_names_mails_and_phones() -> None:
    assert search(query="person 44")["total"] == 1
    assert search(query="P7@EXAMPLE")["total"] == 1
    assert search(query="nobody")["total"] == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"filters": [{"field": "x", "operator": "near", "value": 1}]}, "near"),
        ({"filters": [{"group": "XOR", "filters": []}]}, "AND or OR"),
        ({"filters": [{"field": "id", "operator": "range", "value": {"up": 1}}]}, "range"),
        ({"sort": [{"field": "x", "direction": "up"}]}, "sort.0"),
        ({"searchAfter": [1]}, "searchAfter"),
        ({"page": 101}, "10000"),
    ],
)
def test_what_can_not_be_searched_is_refused(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        search(**body)
    assert caught.value.status == 422


def test_the_old_list_continues_by_its_meta() -> None:
    seen: list[int] = []
    query: dict[str, str] = {"locationId": "l", "limit": "20"}
    while True:
        page = page_of_list(ROWS, query, lambda more: f"url?{more['startAfterId']}")
        seen += ids(page)
        assert page["count"] == 45
        if "startAfterId" not in page["meta"]:
            break
        assert page["meta"]["nextPageUrl"] == f"url?{page['meta']['startAfterId']}"
        query["startAfterId"] = page["meta"]["startAfterId"]
    assert seen == list(range(44, -1, -1))
    with pytest.raises(Refused, match="limit"):
        page_of_list(ROWS, {"limit": "101"}, str)
    with pytest.raises(Refused, match="startAfterId"):
        page_of_list(ROWS, {"startAfterId": "x"}, str)


def test_over_the_wire() -> None:
    async def run() -> None:
        sim = HighLevelSimulator(seed=1, clock=Time().clock(), contacts=45)
        async with running(sim):
            vendor = Vendor(sim)
            body: dict[str, Any] = {"locationId": sim.location_id, "pageLimit": 40}
            first = (await vendor("POST", "/contacts/search", body)).data
            assert (len(first["contacts"]), first["total"]) == (40, 45)
            body["searchAfter"] = first["contacts"][-1]["searchAfter"]
            second = (await vendor("POST", "/contacts/search", body)).data
            found = {row["id"] for row in first["contacts"] + second["contacts"]}
            assert found == set(sim.state.contacts.rows)
            wrong = await vendor("POST", "/contacts/search", {"pageLimit": 101})
            assert wrong.data["message"] == [
                "locationId should not be empty",
                "pageLimit must not be greater than 100",
            ]
            listed = await vendor("GET", f"/contacts/?locationId={sim.location_id}")
            assert len(listed.data["contacts"]) == 20
            url = listed.data["meta"]["nextPageUrl"].removeprefix(sim.base_url)
            assert len((await vendor("GET", url)).data["contacts"]) == 20

    asyncio.run(run())
