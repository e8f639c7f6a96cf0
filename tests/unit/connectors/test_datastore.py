"""The data store modules, their flows worked by hand against a dict."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from junctor.connectors.datastore import datastore
from junctor.errors import BundleInvalid, DataError, DuplicateData, ExpressionError
from junctor.language.asks.records import (
    ClearRecords,
    CountRecords,
    FindRecords,
    ReadRecord,
    WriteRecord,
)
from junctor.language.forms import bind
from junctor.language.records import Found, matches, ordered, restored, stored
from junctor.language.values import ERASE, IGNORE

Store = dict[str, Any]
ADA = {"name": "Ada", "tags": ["a"], "address": {"city": "London", "zip": "1"}}


def answer(ask: Any, store: Store) -> Any:
    match ask:
        case ReadRecord(key):
            return restored(store.get(key))
        case WriteRecord(key, data):
            key = key or f"made-{len(store)}"
            store.pop(key, None)
            if data is not None:
                store[key] = stored(data)
            return key
        case FindRecords():
            found = [Found(key, restored(data), 0) for key, data in store.items()]
            kept = [each for each in found if matches(ask, each.key, each.data, UTC)]
            return [{"key": each.key, "data": each.data} for each in ordered(ask, kept)]
        case CountRecords():
            return len(store)
        case ClearRecords():
            count = len(store)
            store.clear()
            return count
    raise AssertionError(ask)


def done(
    name: str, mapper: dict[str, Any], store: Store, parameters: dict[str, Any] | None = None
) -> Any:
    """What the placed module gives."""
    module = datastore.modules[name]
    flow = module.function(**bind(module, mapper, {"datastore": 59644, **(parameters or {})}))
    given = None
    try:
        while True:
            given = answer(flow.send(given), store)
    except StopIteration as stop:
        return stop.value


def test_a_record_is_added_once_unless_it_may_be_overwritten() -> None:
    store: Store = {}
    assert done("AddRecord", {"key": "a", "data": {"n": 1}, "overwrite": False}, store) == {
        "key": "a"
    }
    with pytest.raises(DuplicateData, match="'a' exists already") as caught:
        done("AddRecord", {"key": "a", "data": {"n": 2}, "overwrite": False}, store)
    assert caught.value.as_record()["type"] == "DuplicateDataError"
    assert store == {"a": {"n": 1}}
    done("AddRecord", {"key": "a", "data": {"n": 2}, "overwrite": True}, store)
    assert store == {"a": {"n": 2}}


def test_a_blank_key_is_made() -> None:
    store: Store = {}
    made = done("AddRecord", {"key": "", "data": {"n": 1}}, store)
    assert store == {made["key"]: {"n": 1}}
    assert made["key"]


def test_a_number_is_a_key() -> None:
    store: Store = {}
    done("AddRecord", {"key": 12, "data": {}}, store)
    assert done("ExistRecord", {"key": "12"}, store) == {"exist": True}


def test_an_update_merges() -> None:
    store: Store = {"a": ADA}
    change = {
        "name": "",  # left blank in the form
        "tags": ["b"],
        "address": {"zip": "2"},
        "age": 36,
        "other": IGNORE,
    }
    assert done("UpdateRecord", {"key": "a", "data": change}, store) == {"key": "a"}
    assert store["a"] == {
        "name": "Ada",
        "tags": ["a", "b"],
        "address": {"city": "London", "zip": "2"},
        "age": 36,
    }


def test_an_update_may_replace_arrays_and_erase() -> None:
    store: Store = {"a": ADA}
    change = {"tags": ["b"], "name": ERASE, "address": {"city": ERASE}}
    done("UpdateRecord", {"key": "a", "data": change, "overwriteArrays": True}, store)
    assert store["a"] == {"name": None, "tags": ["b"], "address": {"city": None, "zip": "1"}}


def test_a_missing_record_is_made_only_if_so_asked() -> None:
    store: Store = {}
    with pytest.raises(DataError, match=r"no record 'a'.*Insert a missing record"):
        done("UpdateRecord", {"key": "a", "data": {"n": 1}, "upsert": False}, store)
    done("UpdateRecord", {"key": "a", "data": {"n": 1}, "upsert": True}, store)
    assert store == {"a": {"n": 1}}


def test_an_update_says_which_fields_were_there() -> None:
    flow = datastore.modules["UpdateRecord"].function(key="a", data={"new": 1})
    assert next(flow) == ReadRecord("a")
    assert flow.send({"old": 1}) == WriteRecord("a", {"old": 1, "new": 1}, frozenset({"old"}))


def test_a_record_is_read_plain_or_wrapped() -> None:
    store: Store = {"a": ADA}
    assert done("GetRecord", {"key": "a", "returnWrapped": False}, store) == ADA
    assert done("GetRecord", {"key": "a", "returnWrapped": True}, store) == {
        "key": "a",
        "data": ADA,
    }
    assert done("GetRecord", {"key": "b"}, store) == {}
    with pytest.raises(BundleInvalid, match="key"):
        done("GetRecord", {"key": ""}, store)


def test_records_are_counted_and_removed() -> None:
    store: Store = {"a": {}, "b": {}, "c": {}}
    assert done("DeleteRecord", {"key": "a"}, store) == {"key": "a", "deleted": True}
    assert done("DeleteRecord", {"key": "a"}, store) == {"key": "a", "deleted": False}
    assert done("CountRecords", {}, store) == {"count": 2}
    assert done("DeleteAllRecords", {}, store) == {"count": 2}
    assert store == {}


PEOPLE: Store = {
    "1": {"name": "Ada", "age": 36, "status": "active"},
    "2": {"name": "Bob", "age": 9, "status": "active"},
    "3": {"name": "Eve", "age": 20},
    "4": {"name": "Dan", "status": "gone"},
}


def keys(mapper: dict[str, Any], **parameters: Any) -> str:
    return "".join(row["key"] for row in done("SearchRecord", mapper, PEOPLE, parameters))


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ([], "1234"),
        ([[]], "1234"),
        ("", "1234"),
        ([[{"a": "status", "b": "active", "o": "text:equal"}]], "12"),
        ([{"a": "status", "b": "active", "o": "text:equal"}], "12"),  # one group without its list
        ([[{"a": "age", "b": "10", "o": "number:greater"}]], "13"),
        ([[{"a": "status", "o": "notexist"}]], "3"),
        ([[{"a": "key", "b": "4", "o": "text:equal"}]], "4"),
        ([[{"a": "data.name", "b": "a", "o": "text:contain"}]], "14"),
        (
            [
                [{"a": "age", "b": 30, "o": "number:less"}, {"a": "status", "o": "exist"}],
                [{"a": "name", "b": "eve", "o": "text:equal:ci"}],
            ],
            "23",
        ),
    ],
)
def test_a_search_filters(conditions: Any, found: str) -> None:
    assert keys({"filter": conditions, "sort": [], "mappAbleLimit": ""}) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([{"key": "age", "order": 1}], "2314"),
        ([{"key": "age", "order": "-1"}], "1324"),
        ([{"key": "age", "order": "desc"}], "1324"),
        ([{"key": "name"}], "1243"),
        ([{"key": "status", "order": 1}, {"key": "age", "order": 1}], "2143"),
        ([{"key": "key", "order": -1}], "4321"),
    ],
)
def test_a_search_sorts_and_what_lacks_the_field_comes_last(order: Any, found: str) -> None:
    assert keys({"sort": order}) == found


def test_the_mappable_limit_comes_before_the_other() -> None:
    assert keys({}, limit=2) == "12"
    assert keys({"mappAbleLimit": "3"}, limit=1) == "123"
    assert keys({"mappAbleLimit": 0}, limit=1) == "1234"
    assert keys({"mappAbleLimit": ""}, limit="1") == "1"


@pytest.mark.parametrize(
    ("mapper", "error", "says"),
    [
        ({"filter": ["x"]}, BundleInvalid, r"filter\[1\].*no group"),
        ({"filter": [["x"]]}, BundleInvalid, r"filter\[1\]\[1\].*no condition"),
        ({"filter": [[{"a": "", "o": "exist"}]]}, BundleInvalid, r"filter\[1\]\[1\]\.a"),
        ({"filter": [[{"a": "n", "o": "text:equals"}]]}, ExpressionError, "text:equal"),
        ({"sort": [{"order": 1}]}, BundleInvalid, r"sort\[1\]"),
        ({"mappAbleLimit": -1}, BundleInvalid, "mappAbleLimit"),
    ],
)
def test_a_wrong_search_says_where(mapper: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        keys(mapper)


def test_what_writes_is_transactional_and_what_reads_is_not() -> None:
    for module in datastore.modules.values():
        assert module.transactional == (module.effect == "idempotent"), module.id
