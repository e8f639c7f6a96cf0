"""Connectors make their requests in a rehearsal, and a case's rules answer them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
import pytest
from engine_kit import kit

from junctor.app.rehearsing import merged, play, run_case
from junctor.errors import BundleInvalid, Misconfigured
from junctor.language.asks.records import (
    ClearRecords,
    CountRecords,
    FindRecords,
    ReadRecord,
    ReadState,
    WriteRecord,
    WriteState,
)
from junctor.language.connector import (
    Ask,
    Asks,
    Bundle,
    Connection,
    Connector,
    Delivery,
    Field,
    Flow,
    HookDef,
    Multipart,
    Paging,
    Part,
    Poll,
    Request,
    Secret,
    path,
)
from junctor.language.scenario import Module, Scenario, Settings
from junctor.language.verifiers import key_in_url
from junctor.runtime.registry import Registry
from junctor.testing.cases import Case, Expect, Given, Suite

Text = Annotated[str, Field(label="Text")]
Number = Annotated[int, Field(label="Number")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    key: Annotated[Secret, Field(label="Key")]
    place: Annotated[str, Field(label="Place")]


def sign(request: Request, account: Account) -> Request:
    body = {**request.json, "place": account.place} if request.json else None
    signed = Request(request.method, f"{request.url}?key={account.key!s}", query=request.query,
                     headers=request.headers, json=body, form=request.form, body=request.body,
                     raises=request.raises)  # fmt: skip
    return signed.with_headers(Authorization=f"Bearer {account.key!s}")


shop = Connector(
    name="shop",
    label="Shop",
    connections={"shop": Connection(form=Account, base_url="https://shop.test/v1", sign=sign)},
)


@shop.instant("Orders", hook=HookDef(verify=key_in_url()))
def orders(delivery: Delivery) -> Iterator[Bundle]:
    for each in delivery.json():
        yield {"method": delivery.method, "q": dict(delivery.query), "h": delivery.headers["x"],
               "s": delivery.settings.get("s"), **each}  # fmt: skip


@shop.action("Buys", effect="once", items="made")
def buy(sku: Text, count: Number = 1) -> Request:
    return Request("POST", path("buy", sku), json={"count": count})


@shop.action("Looks", effect="read")
def look(sku: Text) -> Request:
    return Request("GET", path("items", sku), query={"a": ["1", "2"]})


@shop.search("Lists", items="rows", paging=Paging(style="offset", size=2, param="offset"))
def items() -> Request:
    return Request("GET", "/items")


@shop.action("Buys and pays", effect="once")
def buy_and_pay(sku: Text) -> Flow:
    bought = yield Request("POST", path("buy", sku), form={"n": 1})
    yield Request("POST", path("pay", bought.json()["id"]),
                  body=Multipart((Part("file", b"\xff", "a.bin"),)))  # fmt: skip
    return {"id": bought.json()["id"]}


@shop.action("Is broken", effect="once")
def broken() -> Request:
    raise KeyError("x")


@shop.module(
    "Watches items",
    kind="trigger",
    effect="read",
    items="rows",
    poll=Poll(id=lambda item: str(item["n"])),
)
def watch(limit: Number = 2) -> Request:
    return Request("GET", "/items", query={"n": limit})


@shop.module("Begins", kind="trigger", name="begin")
def begin(text: Text = "") -> list[Bundle]:
    return [{"text": text}, {"text": text + "!"}]


store = Connector(name="store", label="Store")


@store.action("Writes", effect="idempotent", transactional=True)
def write(key: Text) -> Asks:
    yield WriteRecord(key, {"n": 1})
    return {}


@dataclass(frozen=True, slots=True)
class Odd(Ask):
    what: str


@store.action("Asks", effect="idempotent")
def work(what: Text) -> Asks:
    yield WriteRecord("b", {"n": 2, "d": {"x": "y"}})
    yield WriteRecord("c", {"n": 10})
    yield WriteRecord("old", None)
    yield WriteState({"seen": what})
    answers: Bundle = {"b": (yield ReadRecord("b")), "none": (yield ReadRecord("zz"))}
    answers["count"] = yield CountRecords()
    answers["found"] = yield FindRecords(conditions=((("n", "number:greater", 2),),))
    answers["deep"] = yield FindRecords(conditions=((("d.x", "text:equal", "y"),),))
    answers["sorted"] = yield FindRecords(sort=(("n", False),), limit=2)
    answers["by_key"] = yield FindRecords(conditions=((("key", "text:equal", "c"),),))
    answers["state"] = yield ReadState()
    return answers


@store.action("Asks once", effect="read")
def count() -> Ask:
    return FindRecords()


@store.action("Clears", effect="idempotent")
def clear() -> Asks:
    return {"cleared": (yield ClearRecords())}


@store.action("Asks oddly", effect="once")
def odd(what: Text) -> Asks:
    return {"answer": (yield Odd(what))}


@pytest.fixture
def registry() -> Registry:
    made = Registry({"shop": "here", "store": "here"})
    made._loaded.update(shop=shop, store=store)
    return made


def flow(*modules: tuple[str, Any]) -> Scenario:
    return Scenario(
        name="s",
        flow=tuple(
            Module(id=number, module=name, path=f"flow[{number}]", mapper=mapper,
                   parameters={"datastore": 7})
            for number, (name, mapper) in enumerate(modules, start=1)
        ),
    )  # fmt: skip


def run(registry: Registry, scenario: Scenario, **given: Any) -> dict[str, Any]:
    return play(msgspec.convert(given, Given), scenario, registry)


def test_requests_are_made_signed_and_read(registry: Registry) -> None:
    seen = run(
        registry,
        flow(("shop:buy", {"sku": "a/b", "count": "3"})),
        connections={"shop": {"place": "York"}},
        answers=[{"request": "POST https://shop.test/*", "json": {"made": {"id": 9}}}],
    )
    assert seen["status"] == "finished"
    assert seen["bundles"] == {"1": [{"id": 9}]}
    assert seen["requests"] == [
        {
            "module": 1,
            "request": "POST https://shop.test/v1/buy/a%2Fb",
            "query": {"key": "…"},
            "headers": {"authorization": "…"},
            "json": {"count": 3, "place": "York"},
        }
    ]


def test_pages_are_asked_for_until_the_last(registry: Registry) -> None:
    seen = run(
        registry,
        flow(("shop:items", {})),
        answers=[
            {
                "request": "GET */items",
                "where": {"query": {"offset": 0}},
                "json": {"rows": [{"n": 1}, {"n": 2}]},
            },
            {
                "request": "GET */items",
                "where": {"query": {"offset": 2}},
                "json": {"rows": [{"n": 3}]},
            },
        ],
    )
    assert [each["n"] for each in seen["bundles"]["1"]] == [1, 2, 3]
    assert len(seen["requests"]) == 2


def test_rules_are_used_up_in_order(registry: Registry) -> None:
    seen = run(
        registry,
        flow(("shop:look", {"sku": "x"})),
        answers=[
            {"request": "GET *", "status": 429, "headers": {"Retry-After": "3"}, "times": 1},
            {"request": "GET *", "unreachable": True, "times": 1},
            {"request": "GET *", "timeout": True, "times": 1},
            {"request": "GET *", "error": "VendorUnavailable", "times": 1},
            {"request": "GET *", "text": "", "status": 204},
        ],
    )
    assert seen["status"] == "finished"
    assert seen["counts"] == {"1": 5}
    assert seen["waits"][0]["seconds"] >= 3
    assert seen["requests"][0]["query"] == {"key": "…", "a": ["1", "2"]}


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"status": 404, "json": {"message": "gone"}}, "incomplete", "vendor_refused"),
        ({"status": 401}, "incomplete", "reconnect"),
        ({"status": 500}, "uncertain", "uncertain"),
        ({"timeout": True}, "uncertain", "uncertain"),
        ({"unreachable": True}, "incomplete", "not_sent"),
        ({"text": "<no json"}, "uncertain", "uncertain"),
        ({"error": {"type": "DataError", "message": "m"}}, "incomplete", "data"),
    ],
)
def test_outcomes_are_those_of_a_worker(
    registry: Registry, rule: Any, status: str, code: str
) -> None:
    scenario = flow(("shop:buy", {"sku": "x"}))
    seen = run(registry, scenario, answers=[{"request": "POST *", **rule}])
    assert seen["status"] == status
    assert seen["error"]["code"] == code
    assert seen["error"]["module"] == 1


def test_what_was_half_done_is_uncertain(registry: Registry) -> None:
    scenario = flow(("shop:buyAndPay", {"sku": "x"}))
    first = {"request": "POST */buy/*", "json": {"id": "o1"}}
    seen = run(registry, scenario, answers=[first, {"request": "POST */pay/o1", "status": 400}])
    assert seen["error"]["code"] == "uncertain"
    assert seen["requests"][0]["form"] == {"n": 1}
    assert seen["requests"][1]["parts"] == [{"name": "file", "data": "/w==", "filename": "a.bin"}]
    seen = run(registry, scenario, answers=[first, {"request": "POST /v1/pay/*", "status": 204}])
    assert seen["bundles"] == {"1": [{"id": "o1"}]}


def test_a_bug_is_a_fault(registry: Registry) -> None:
    seen = run(registry, flow(("shop:broken", {})))
    assert seen["error"]["code"] == "fault"
    seen = run(registry, flow(("shop:buy", {})))
    assert seen["error"]["code"] == BundleInvalid.code


def test_modules_are_answered_without_requests(registry: Registry) -> None:
    seen = run(
        registry,
        flow(
            ("alien:start", {}), ("alien:act", {"x": "{{1.x}}"}), ("shop:buy", {"sku": "{{2.y}}"})
        ),
        bundles=[{"x": 1}, {"x": 2}],
        answers=[
            {
                "module": 2,
                "where": {"x": 2},
                "error": {"type": "RateLimitError", "retry_after": 9},
                "times": 1,
            },
            {"module": 2, "bundles": [{"y": "sku"}]},
            {"module": 3, "timeout": True, "times": 1},
            {"module": 3, "unreachable": True},
        ],
    )
    assert seen["inputs"]["2"] == [{"x": 1}]
    assert seen["requests"] == []
    assert seen["error"]["code"] == "uncertain"


def test_what_no_rule_answers_stops_the_case(registry: Registry) -> None:
    scenario = flow(("shop:look", {"sku": "x"}), ("shop:look", {"sku": "y"}))
    with pytest.raises(Misconfigured, match=r"module 1 sends GET https://shop\.test/v1/items/x"):
        run(registry, scenario)
    with pytest.raises(Misconfigured, match=r"there are rules for POST \*"):
        run(registry, scenario, answers=[{"request": "POST *", "status": 200}])
    seen = run(registry, scenario, samples=True)
    assert seen["status"] == "finished"
    assert len(seen["requests"]) == 2


def test_unknown_apps_need_a_rule(registry: Registry) -> None:
    scenario = flow(("alien:start", {}), ("alien:act", {}))
    with pytest.raises(Exception, match=r"flow\[2\]: module 'alien:act'"):
        run(registry, scenario)
    with pytest.raises(Misconfigured, match=r"module 2 .* is called"):
        run(registry, scenario, answers=[{"module": 2, "where": {"x": 1}, "bundles": []}])
    assert run(registry, scenario, samples=True)["status"] == "finished"


def test_records_and_states_are_kept_for_the_run(registry: Registry) -> None:
    seen = run(
        registry,
        flow(("store:work", {"what": "w"}), ("store:count", {}), ("store:clear", {})),
        records={"7": {"a": {"n": 1}, "old": {"n": None}}},
    )
    (worked,) = seen["bundles"]["1"]
    assert worked == {
        "b": {"n": 2, "d": {"x": "y"}},
        "none": None,
        "count": 3,
        "found": [{"key": "c", "data": {"n": 10}}],
        "deep": [{"key": "b", "data": {"n": 2, "d": {"x": "y"}}}],
        "sorted": [
            {"key": "c", "data": {"n": 10}},
            {"key": "b", "data": {"n": 2, "d": {"x": "y"}}},
        ],
        "by_key": [{"key": "c", "data": {"n": 10}}],
        "state": {"seen": "w"},
    }
    assert [each["key"] for each in seen["bundles"]["2"]] == ["a", "b", "c"]
    assert seen["bundles"]["3"] == [{"cleared": 3}, {"cleared": 0}, {"cleared": 0}]
    assert seen["records"] == {"7": {}}


@pytest.mark.parametrize(
    ("auto", "directive", "kept"),
    [(True, "rollback", {"x"}), (False, "rollback", set()), (False, "commit", {"x"})],
)
def test_what_is_not_committed_never_was(
    registry: Registry, auto: bool, directive: str, kept: set[str]
) -> None:
    registry._sources["kit"] = "here"
    registry._loaded["kit"] = kit
    handler = Module(id=9, module=f"kit:{directive}", path="handler", mapper={})
    scenario = flow(("store:write", {"key": "x"}), ("shop:look", {"sku": "x"}))
    failing = replace(scenario.flow[1], onerror=(handler,))
    scenario = replace(
        scenario,
        flow=(scenario.flow[0], failing),
        settings=Settings(auto_commit=auto),
    )
    seen = run(registry, scenario, answers=[{"request": "GET *", "status": 404}])
    assert seen["status"] == ("finished" if directive == "commit" else "failed")
    assert set(seen.get("records", {}).get("7", {})) == kept


def test_a_trigger_that_polls_is_asked(registry: Registry) -> None:
    scenario = flow(("shop:watch", {}), ("alien:act", {"n": "{{1.n}}"}))
    rules = [
        {"request": "GET */items", "json": {"rows": [{"n": 3}, {"n": 2}, {"n": 1}]}},
        {"module": 2, "bundles": []},
    ]
    seen = run(registry, scenario, answers=rules)
    assert seen["inputs"]["2"] == [{"n": 1}, {"n": 2}]
    seen = run(registry, scenario, answers=rules, cycles=5)
    assert seen["inputs"]["2"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    seen = run(registry, scenario, answers=rules, start="now")
    assert seen["route"] == [1]
    seen = run(registry, scenario, answers=rules, bundles=[{"n": 7}])
    assert seen["inputs"]["2"] == [{"n": 7}]


def test_a_trigger_that_only_begins_is_asked_too(registry: Registry) -> None:
    scenario = flow(("shop:begin", {"text": "hi"}), ("alien:act", {"n": "{{1.text}}"}))
    seen = run(registry, scenario, answers=[{"module": 2, "bundles": []}])
    assert seen["inputs"]["2"] == [{"n": "hi"}, {"n": "hi!"}]


def test_what_else_is_asked_of_junctor_is_scripted(registry: Registry) -> None:
    scenario = flow(("store:odd", {"what": "w"}))
    rule = {"ask": "Odd", "where": {"what": "w"}, "answer": {"a": 1}}
    assert run(registry, scenario, answers=[rule])["bundles"] == {"1": [{"answer": {"a": 1}}]}
    failing = {"ask": "Odd", "module": 1, "error": "forbidden"}
    assert run(registry, scenario, answers=[failing])["error"]["code"] == "forbidden"
    with pytest.raises(Misconfigured, match=r"asks for Odd\({'what': 'w'}\)"):
        run(registry, scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="code steps need Linux")
def test_code_steps_really_run_unless_a_rule_answers() -> None:
    registry = Registry.load()
    code = {"codeEditorJavascript": "return input.a + 1", "input": [{"name": "a", "value": 1}]}
    scenario = flow(("code:ExecuteCode", code))
    assert run(registry, scenario)["bundles"] == {"1": [{"result": 2}]}
    rule = {"ask": "RunCode", "answer": {"result": 9}}
    assert run(registry, scenario, answers=[rule])["bundles"] == {"1": [{"result": 9}]}
    failing = flow(("code:ExecuteCode", {"codeEditorJavascript": "throw new Error('no')"}))
    assert "line 1: Error: no" in run(registry, failing)["error"]["message"]


def test_a_delivery_becomes_bundles(registry: Registry) -> None:
    scenario = flow(("shop:orders", {}), ("shop:look", {"sku": "{{1.sku}}"}))
    seen = run(
        registry,
        scenario,
        delivery={
            "method": "put",
            "headers": {"X": "h"},
            "query": {"a": "1"},
            "settings": {"s": 2},
            "json": [{"sku": "x"}],
        },
        answers=[{"request": "GET *", "json": {}}],
    )
    assert seen["bundles"]["1"] == [
        {"method": "PUT", "q": {"a": "1"}, "h": "h", "s": 2, "sku": "x"}
    ]
    assert seen["requests"][0]["request"].endswith("/items/x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"delivery": {}, "bundles": []}, "both bundles and a delivery"),
        ({"delivery": {}}, "the first module takes none"),
        ({"zone": "Nowhere/Land"}, "given.zone is 'Nowhere/Land'"),
        ({"now": "yesterday"}, "given.now is 'yesterday'"),
        ({"now": "2026-01-01T00:00:00"}, "write an instant"),
        ({"answers": [{"module": 1, "error": "Wombat"}]}, "no error 'Wombat'"),
    ],
)
def test_what_is_given_wrongly_is_said(registry: Registry, given: Any, said: str) -> None:
    with pytest.raises(Misconfigured, match=said.replace("(", "\\(")):
        run(registry, flow(("shop:look", {"sku": "x"})), **given)


def test_clock_zone_and_variables_are_given(registry: Registry) -> None:
    mapper = {"sku": '{{formatDate(now; "HH:mm")}} {{var.organization.name}} {{var.input.x}}'}
    seen = run(
        registry,
        flow(("shop:look", mapper)),
        now="2026-03-02T09:00:00Z",
        zone="Europe/Berlin",
        variables={"input": {"x": 5}},
        answers=[{"module": 1, "bundles": []}],
    )
    assert seen["inputs"]["1"] == [{"sku": "10:00 Rehearsal 5"}]


def test_a_cases_own_values_come_first() -> None:
    common = msgspec.convert(
        {"bundles": [{"a": 1}], "now": "n", "variables": {"x": 1, "y": 1},
         "answers": [{"module": 1, "bundles": []}]}, Given,
    )  # fmt: skip
    own = msgspec.convert(
        {"delivery": {}, "variables": {"y": 2}, "answers": [{"module": 2, "bundles": []}]}, Given
    )
    both = merged(common, own)
    assert both.bundles is None
    assert both.delivery is not None
    assert both.now == "n"
    assert both.variables == {"x": 1, "y": 2}
    assert [rule.module for rule in both.answers] == [2, 1]


def test_a_broken_trigger_ends_its_case_only(registry: Registry) -> None:
    given = msgspec.convert({"delivery": {"json": 5, "headers": {"x": ""}}}, Given)
    suite = Suite(cases=[Case(name="a", given=given, expect=Expect(status="finished"))])
    outcome = run_case(suite.cases[0], suite, flow(("shop:orders", {})), registry)
    assert not outcome.ok
    assert "This is a bug (TypeError" in outcome.problem
