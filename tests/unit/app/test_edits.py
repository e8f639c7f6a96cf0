"""Changes of bundles, as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.app.edits import Edit, edits_of, patched, read_set
from junctor.app.logs import redact_bundle
from junctor.errors import Misconfigured


@pytest.mark.parametrize(
    ("text", "module", "path", "value"),
    [
        ("3.name=Jana", 3, "name", "Jana"),
        ("3.a.b=1", 3, "a.b", 1),
        ('3.a="1"', 3, "a", "1"),
        ("3.a=", 3, "a", ""),
        ("3.a=b=c", 3, "a", "b=c"),
        ('3.a={"x": null}', 3, "a", {"x": None}),
    ],
)
def test_a_value_is_set_by_its_path(text: str, module: int, path: str, value: Any) -> None:
    edit = read_set(text)
    assert (edit.module, edit.values) == (module, {path: value})


@pytest.mark.parametrize("text", ["name=1", "3=1", "x.a=1", "3.a", ""])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="MODULE"):
        read_set(text)


def test_a_bundle_is_changed_in_place_and_the_recorded_one_stays() -> None:
    before = {"lines": [{"sku": "a"}], "n": 1}
    edit = Edit(2, values={"lines[1].sku": "b", "lines[2]": 5, "who.name": "Jana"})
    after = patched(edit, before)
    assert after == {"lines": [{"sku": "b"}, 5], "n": 1, "who": {"name": "Jana"}}
    assert before == {"lines": [{"sku": "a"}], "n": 1}
    assert patched(Edit(2, {"new": 1}), before) == {"new": 1}
    assert patched(Edit(2, {"new": 1}, {"old": 2}), None) == {"new": 1, "old": 2}


@pytest.mark.parametrize("path", ["n.x", "lines[3]", "n[1]", "lines[0]", "a..b", "[1]"])
def test_a_place_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(Misconfigured, match="'"):
        patched(Edit(2, values={path: 1}), {"lines": [1], "n": 1})


def test_nothing_recorded_can_only_be_replaced() -> None:
    with pytest.raises(Misconfigured, match="whole bundle"):
        patched(Edit(2, values={"a": 1}), None)


def test_a_masked_secret_does_not_take_the_place_of_the_real_one() -> None:
    shown = redact_bundle({"who": [{"password": "hunter2"}], "n": 1})
    with pytest.raises(Misconfigured, match="masked"):
        patched(Edit(2, shown), {"who": [{"password": "hunter2"}], "n": 1})
    kept = patched(Edit(2, values={"n": 2}), {"who": [{"password": "hunter2"}], "n": 1})
    assert kept["who"] == [{"password": "hunter2"}]


def test_a_file_names_modules() -> None:
    assert edits_of({"2": {"a": 1}}) == [Edit(2, {"a": 1})]
    with pytest.raises(Misconfigured, match="module's number"):
        edits_of({"two": {}})
    with pytest.raises(Misconfigured, match="module's number"):
        edits_of({"2": [1]})
