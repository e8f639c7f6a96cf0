"""Catalogues become modules: names, forms, requests, effects."""

from __future__ import annotations

from functools import partial
from types import GeneratorType
from typing import Annotated, Any

import pytest

from junctor.errors import BundleInvalid, DataError, Fault, VendorRefused
from junctor.language.catalogue import Conventions, help_of, label_of, modules_from, words
from junctor.language.connector import Field, ModuleDef, Paging, Request, Response
from junctor.language.forms import bind, schema_of
from junctor.language.signatures import Argument, Described, identifier
from junctor.language.values import ERASE

TYPES = {
    "Person": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "kind": {"$ref": "Kind"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "home": {"$ref": "Home"},
            "parent": {"$ref": "Person"},
            "from": {"type": "string"},
            "anything": {},
            "note": {"type": ["string", "null"]},
        },
        "required": ["name"],
    },
    "Kind": {"type": "string", "enum": ["new", "old"]},
    "Home": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "no": {"type": "number"}},
        "required": ["city"],
    },
    "Loop": {"$ref": "Loop"},
}
PAGING = Paging(style="path", size=1, limit_param="", first=1)
CONVENTIONS = Conventions(
    items="data",
    page="page",
    paging=PAGING,
    known={"id": Annotated[str, Field(label="Person", key="id")]},
    filled={"site": "{site}"},
    headers=lambda operation: {"Version": operation["version"]} if "version" in operation else {},
    effects={"touchPerson": "once"},
    patch="idempotent",
    error_text=lambda response: response.text(),
    note=lambda _operation: "Needs care.",
)


def one(**operation: Any) -> ModuleDef:
    given = {"name": "getPerson", "method": "GET", "path": "/people/{id}", **operation}
    catalogue = {"types": TYPES, "operations": [given]}
    [module] = modules_from(catalogue, "acme", CONVENTIONS)
    return module


def asked(module: ModuleDef, **mapper: Any) -> Request:
    request = module.function(**bind(module, mapper, {}))
    assert isinstance(request, Request)
    return request


def test_what_is_made_by_hand_is_left_out() -> None:
    rows = [{"name": name, "method": "GET", "path": f"/{name}"} for name in ("a", "b")]
    made = modules_from({"operations": rows}, "acme", CONVENTIONS, taken={"a"})
    assert [module.id for module in made] == ["acme:b"]


def test_a_request_of_path_query_and_body() -> None:
    module = one(
        name="savePerson",
        method="PUT",
        path="/{site}/people/{id}",
        query={"dry": {"type": "boolean"}, "why": {"type": "string"}},
        needs=["dry"],
        body={"$ref": "Person"},
        version="v1",
    )
    request = asked(
        module,
        id="a/b",
        dry="true",
        name="Ada",
        age="36",
        tags="x",
        home={"city": "Rome", "no": "1.5"},
        note=ERASE,
        kind="OLD",
        **{"from": "here"},
    )
    assert (request.method, request.url) == ("PUT", "/{site}/people/a%2Fb")
    assert request.query == {"dry": "true"}
    assert request.headers == {"Version": "v1"}
    assert request.json == {
        "name": "Ada",
        "age": 36,
        "tags": ["x"],
        "home": {"city": "Rome", "no": 1.5},
        "note": None,
        "kind": "old",
        "from": "here",
    }
    assert asked(module, id="1", dry=False, name="A", site="s").url == "/s/people/1"
    with pytest.raises(BundleInvalid, match="name"):
        asked(module, id="1", dry=True)
    with pytest.raises(BundleInvalid, match="city is missing"):
        asked(module, id="1", dry=True, name="A", home={"no": 1})
    with pytest.raises(BundleInvalid, match="not one of"):
        asked(module, id="1", dry=True, name="A", kind="other")


def test_the_form_shows_types_and_asks_first_what_is_needed() -> None:
    form = schema_of(one(method="POST", body={"$ref": "Person"}, body_required=True))
    fields = form["properties"]
    assert list(fields)[:2] == form["required"] == ["id", "name"]
    assert fields["id"]["title"] == "Person"
    assert fields["kind"]["enum"] == ["new", "old"]
    assert fields["tags"] == {
        "title": "Tags",
        "type": "array",
        "items": {"type": "string"},
    }
    assert fields["home"]["required"] == ["city"]
    assert fields["parent"]["properties"]["parent"]["type"] == "object"
    assert "type" not in fields["anything"]


def test_a_list_is_a_search_and_pages_are_asked_for() -> None:
    paged = one(name="listPeople", path="/{site}/people/{page}", result="list")
    assert (paged.kind, paged.paging, paged.limit_field) == ("search", PAGING, "limit")
    assert asked(paged).url == "/{site}/people/{page}"
    assert set(schema_of(paged)["properties"]) == {"site", "limit"}
    whole = one(name="listPeople", path="/people", result="list")
    assert (whole.kind, whole.paging, whole.items) == ("search", None, "data")
    assert one().kind == "action"
    in_query = one(name="listPeople", path="/people", query={"page": {}, "per": {}}, result="list")
    assert in_query.paging is PAGING
    assert set(schema_of(in_query)["properties"]) == {"per", "limit"}


@pytest.mark.parametrize(
    ("name", "method", "effect"),
    [
        ("getPerson", "GET", "read"),
        ("addPerson", "POST", "once"),
        ("savePerson", "PUT", "idempotent"),
        ("updatePerson", "PATCH", "idempotent"),
        ("touchPerson", "PATCH", "once"),
        ("removePerson", "DELETE", "idempotent"),
        ("checkPersonExists", "HEAD", "read"),
    ],
)
def test_effects_follow_the_method_unless_said(name: str, method: str, effect: str) -> None:
    assert one(name=name, method=method).effect == effect


def test_an_unknown_vendor_does_not_promise_that_patch_may_be_repeated() -> None:
    rows = {"operations": [{"name": "a", "method": "PATCH", "path": "/a"}]}
    [module] = modules_from(rows, "acme", Conventions())
    assert module.effect == "once"


def test_head_says_whether_something_is_there() -> None:
    module = one(name="checkPersonExists", method="HEAD")

    def told(status: int) -> Any:
        flow = module.function(id="1")
        assert isinstance(flow, GeneratorType)
        assert next(flow) == Request("HEAD", "/people/1", query={}, raises=False)
        with pytest.raises(StopIteration) as stop:
            flow.send(Response(status, {}, b"no right"))
        return stop.value.value

    assert told(200) == {"exists": True}
    assert told(404) == {"exists": False}
    flow = module.function(id="1")
    next(flow)
    with pytest.raises(VendorRefused, match="no right"):
        flow.send(Response(403, {}, b"no right"))


def test_a_body_without_known_fields_is_one_field() -> None:
    module = one(method="POST", body={"type": "object"}, body_required=True)
    assert asked(module, id="1", body={"a": 1}).json == {"a": 1}
    optional = one(method="POST", body={"type": "object"})
    assert asked(optional, id="1").json is None
    loop = one(method="POST", body={"$ref": "Loop"}, body_required=True)
    assert asked(loop, id="1", body=[1]).json == [1]
    empty = one(method="PATCH", body={"$ref": "Home"}, body_required=True)
    assert asked(empty, id="1", city="Rome").json == {"city": "Rome"}


def test_names_that_meet_are_told_apart() -> None:
    module = one(
        method="PUT",
        query={"id": {"type": "string"}, "limit": {"type": "integer"}},
        body={"type": "object", "properties": {"id": {"type": "string"}, "body": {}}},
    )
    request = asked(module, id="1", query_id="2", body_id="3", query_limit=4, body_body=5)
    assert (request.url, request.query) == ("/people/1", {"id": "2", "limit": 4})
    assert request.json == {"id": "3", "body": 5}


def test_a_mapped_value_stays_in_its_segment() -> None:
    assert asked(one(path="/people/{id}/"), id="../x").url == "/people/..%2Fx/"
    with pytest.raises(DataError):
        one().function(id="..")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("filter_date_start", "Filter date start"),
        ("websiteID", "Website ID"),
        ("generateBucketURL", "Generate bucket URL"),
        ("avatar_url", "Avatar URL"),
        ("x", "X"),
        ("日本", "日本"),
    ],
)
def test_names_in_words(name: str, text: str) -> None:
    assert words(name) == text


def test_labels_and_help() -> None:
    row = {"name": "applyCoupon", "method": "POST", "path": "/c"}
    assert label_of(row) == "Apply coupon"
    assert help_of(row) == "Applies coupon.\n\n`POST /c`."
    assert help_of({**row, "label": "Fetch a coupon"}).startswith("Fetches a coupon.")
    assert help_of({**row, "label": "Pay a coupon"}).startswith("Pays a coupon.")
    check = {"name": "checkCouponExists", "method": "HEAD", "path": "/c"}
    assert label_of(check) == "Check if coupon exists"
    assert help_of(check).startswith("Says in `exists` whether there is such a coupon.")
    assert one().help.endswith("\n\nNeeds care.")


def test_signatures_from_data() -> None:
    rows = [Argument("a", Annotated[int, Field(label="A")], 1)]
    described = Described(lambda **given: given, lambda: rows, name="f", doc="F.")
    module = ModuleDef(connector="c", name="f", label="F", kind="action", function=described)
    assert bind(module, {"a": "2"}, {}) == {"a": 2}
    assert described(a=3) == {"a": 3}
    assert not hasattr(described, "b")
    hint = rows[0].hint
    for wrong in ([*rows, *rows], [Argument("from", hint)], [Argument("a b", hint)]):
        broken = Described(dict, partial(list, wrong), name="f", doc="")
        with pytest.raises(Fault, match="can't be an argument"):
            schema_of(ModuleDef(connector="c", name="f", label="", kind="action", function=broken))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("from", "from_"),
        ("filter[from]", "filter_from"),
        ("1st", "n_1st"),
        ("a--b", "a_b"),
        ("", "field"),
    ],
)
def test_python_names(name: str, expected: str) -> None:
    assert identifier(name) == expected
