"""JSON to bundles and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.connectors.json import create_json, json, parse_json
from junctor.errors import BundleInvalid, DataError
from junctor.language.forms import bind
from junctor.language.values import IGNORE


@pytest.mark.parametrize(
    ("text", "bundles"),
    [
        ('{"a":1}', [{"a": 1}]),
        ('[{"a":1},2]', [{"a": 1}, {"value": 2}]),
        ("[]", []),
        ('"x"', [{"value": "x"}]),
        ("\ufeff{}", [{}]),
    ],
)
def test_parse(text: str, bundles: list[Any]) -> None:
    assert list(parse_json(text)) == bundles


@pytest.mark.parametrize("text", ["{", "{a:1}", "```json\n{}\n```", "[" * 100_000])
def test_a_refusal_shows_the_text_and_a_mend(text: str) -> None:
    with pytest.raises(DataError, match="is not valid JSON") as caught:
        list(parse_json(text))
    assert len(caught.value.message) < 400


def test_nothing_to_parse_is_a_missing_value() -> None:
    with pytest.raises(BundleInvalid, match="a value is required"):
        bind(json.modules["ParseJSON"], {"json": ""}, {"type": 5})


def test_the_data_structure_is_left_alone() -> None:
    given = bind(json.modules["ParseJSON"], {"json": "{}"}, {"type": 4711})
    assert list(parse_json(**given)) == [{}]


def test_create() -> None:
    mapper = {"a": datetime(2026, 1, 2, tzinfo=UTC), "b": [1.0, None], "c": IGNORE, "ü": "ß"}
    text = '{"a":"2026-01-02T00:00:00.000Z","b":[1,null],"ü":"ß"}'
    assert create_json({"type": 1, "space": ""}, mapper) == {"json": text}


@pytest.mark.parametrize(
    ("space", "text"), [("2", '{\n  "a": [\n    1\n  ]\n}'), ("tab", '{\n\t"a": [\n\t\t1\n\t]\n}')]
)
def test_create_indented(space: str, text: str) -> None:
    assert create_json({"space": space}, {"a": [1]}) == {"json": text}
