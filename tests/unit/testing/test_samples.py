"""Samples are what a description says, the same every time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from junctor.language.scenario import Condition, Filter, Module, Scenario
from junctor.testing.samples import fields_read, sample_bundle, sample_value


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"name": "a", "type": "text"}, str),
        ({"name": "a", "type": "number"}, int),
        ({"name": "a", "type": "uinteger"}, int),
        ({"name": "a", "type": "boolean"}, bool),
        ({"name": "a", "type": "date"}, datetime),
        ({"name": "a", "type": "buffer"}, bytes),
        ({"name": "a", "type": "array"}, list),
        ({"name": "a", "type": "collection"}, dict),
        ({"name": "a", "type": "any"}, str),
        ({"name": "a"}, str),
        ({"name": "created", "type": "text"}, str),
        ({"name": "createdAt"}, datetime),
        ({"name": "a", "type": "account:x"}, str),
        ({}, str),
    ],
)
def test_a_sample_has_the_type_described(spec: dict[str, Any], kind: type) -> None:
    assert type(sample_value(spec)) is kind
    assert sample_value(spec) == sample_value(spec)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"name": "email", "type": "text"}, "ada@example.com"),
        ({"name": "from_number", "type": "text"}, "+12025550143"),
        ({"name": "x", "type": "text", "label": "Colour"}, "sample Colour"),
        ({"name": "x", "type": "text", "default": "open"}, "open"),
        ({"name": "x", "type": "select", "options": [{"label": "A", "value": "a"}]}, "a"),
        ({"name": "x", "type": "select", "options": {"store": [{"value": 3}]}}, 3),
        (
            {"type": "collection", "spec": [{"name": "a", "type": "number"}, {"label": "no name"}]},
            {"a": 42},
        ),
        ({"type": "array", "spec": {"type": "number"}}, [42, 42]),
        ({"type": "array", "spec": [{"name": "a", "type": "number"}]}, [{"a": 42}, {"a": 42}]),
        ({"type": "array", "spec": [{"type": "boolean"}]}, [True, True]),
        (
            {"type": "array", "spec": {"type": "collection", "spec": [{"name": "id"}]}},
            [{"id": "sample id"}, {"id": "sample id"}],
        ),
    ],
)
def test_a_sample_is_plausible(spec: dict[str, Any], value: Any) -> None:
    assert sample_value(spec) == value


def test_a_description_without_end_has_an_end() -> None:
    endless: dict[str, Any] = {"name": "a", "type": "collection"}
    endless["spec"] = [endless]
    depth, value = 0, sample_bundle([endless])
    while value:
        depth, value = depth + 1, value["a"]
    assert depth < 20


def scenario(mapper: Any, *conditions: Condition) -> Scenario:
    condition = Filter(groups=(conditions,)) if conditions else None
    later = Module(id=2, module="x:y", path="flow[1]", mapper=mapper, filter=condition)
    return Scenario(name="s", flow=(Module(id=1, module="x:z", path="flow[0]"), later))


def test_what_mappings_read_is_sampled_too() -> None:
    read = fields_read(
        scenario({"a": "{{1.contact.name}}", "b": ["{{upper(1.items[].sku)}}", "{{1.n + 1}}"]})
    )[1]
    bundle = sample_bundle([{"name": "contact", "type": "collection"}], read)
    assert bundle["contact"] == {"name": "Ada Lovelace"}
    assert bundle["items"] == [{"sku": "sample sku"}]
    assert set(bundle) == {"contact", "items", "n"}


def test_what_a_filter_wants_is_the_sample() -> None:
    wanted = scenario({}, Condition("text:equal", "{{1.state}}", "missed"))
    read = fields_read(wanted)[1]
    assert sample_bundle([{"name": "state", "type": "text"}], read) == {"state": "missed"}
    assert sample_bundle([], read) == {"state": "missed"}


def test_templates_that_cant_be_read_read_nothing() -> None:
    assert fields_read(scenario({"a": "{{1.b"})) == {}
