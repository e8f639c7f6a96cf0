"""What is read leniently, and what a report says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from junctor.errors import ExpressionError
from junctor.language.expressions import (
    FUNCTIONS,
    compile_template,
    parse,
    print_template,
    unknown_fields,
    uses,
    warnings_of,
)
from junctor.language.expressions.functions.registry import first_line
from junctor.language.expressions.nodes import FUSION_KEYWORDS
from tests.support import shared_dir


@pytest.mark.parametrize(
    ("text", "wanted", "position", "name"),
    [
        (r"{{formatDate(1.when; \"YYYY\")}}", "2015", 21, r"\"YYYY\""),
        ('{{replace("a1"; /[0-9]/g; "#")}}', "a#", 16, "/[0-9]/g"),
        ("{{ifempty(1.nul, 0)}}", 0, 15, ","),
        ("{{1.Customer Name}}", "Z", 4, "Customer Name"),
        ("{{upper(1.Customer Name)}}", "Z", 10, "Customer Name"),
        ("{{1.Award - Display}}", None, 4, "Award - Display"),
        ('{{toString({"a": 1.n, "b": [1.name, 2]})}}', '{"a":5,"b":["Ann",2]}', 11, "{"),
        ("{{}}", "", 2, "{{}}"),
        ("a{{}}b", "ab", 3, "{{}}"),
        ("{{{{1.name}}}}", "{{Ann}}", 0, "{{{{"),
        ("{{or(1.f; 1.n > 3)}}", True, 2, "or"),
        ("{{JSON.stringify(1.arr)}}", '["a","b","c"]', 2, "JSON.stringify"),
        ("{{year(1.when)}}", 2015, 2, "year"),
        ("{{1.n + scenarioID}}", "5", 8, "scenarioID"),
    ],
)
def test_what_is_odd_works_and_is_said(
    run: Callable[..., Any], text: str, wanted: Any, position: int, name: str
) -> None:
    assert run(text) == wanted
    first, *_ = warnings_of(text)
    assert (first.position, first.name) == (position, name)
    assert first.message
    assert parse(print_template(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "{{1.a - 1.b}} {{1.a / 2}} {{1.a or (1.b)}} {{6 / 2 / 3}}",
        '{{replace(1.a; "/[0-9]/g"; "\\n")}} {{if(1.a and 1.b; "x,y"; 1.`First Name`)}}',
        '{{formatDate(now; "YYYY")}}{{var.scenario.name}}{{uuid}}{{executionId}}',
        "{{1.rows[2 - 1].total - 1.tax}}",
    ],
)
def test_what_make_writes_is_not_odd(text: str) -> None:
    assert warnings_of(text) == []


def test_warnings_come_in_the_order_of_the_text() -> None:
    found = warnings_of("{{concat(empty(1.a), hour(now))}}")
    assert [each.name for each in found] == ["concat", "empty", ",", "hour"]


def test_every_function_of_another_dialect_warns_and_none_of_make_s() -> None:
    for info in FUNCTIONS.values():
        assert bool(info.warning) == (info.origin != "make"), info.name
        if info.warning:
            assert f"'{info.name}'" in info.warning
            assert first_line(info.summary) in info.warning
    for name in FUSION_KEYWORDS:
        assert warnings_of("{{" + name + "}}")[0].name == name


MAKE = """
get if ifempty switch omit pick equal
abs ceil floor round trunc average sum min max median stdevP stdevS formatNumber parseNumber
ascii base64 capitalize startcase contains encodeURL decodeURL escapeHTML escapeMarkdown stripHTML
indexOf length lower upper trim md5 sha1 sha256 sha512 mime replace replaceEmojiCharacters split
substring toBinary toString
formatDate parseDate addSeconds addMinutes addHours addDays addMonths addYears
setSecond setMinute setHour setDate setMonth setYear setDay
add remove deduplicate distinct first last flatten join keys map merge reverse shuffle slice sort
toArray toCollection arrayDiff arrayIntersect
"""
OTHERS = {
    "app": "createJSON parseJSON",
    "fusion": """
        arrayDifference dateDifference addWeekDays dayOfMonth dayOfWeek daysInMonth daysInYear
        dateMax dateMin startOfMonth endOfMonth hour minute month second year isWeekend weekDayDiff
        workMinutesDiff isBlank in ifin case mergeCollections div prod sub power sqrt ln log number
        concat left right removeAccents replacePattern pascal sortAscNum
        """,
    "invented": """
        escapeJSON stringify urlEncode filter empty exists toJSON subtract multiply divide dateDiff
        greaterOrEqual or
        """,
}


def test_every_name_of_the_facts_is_here_and_said_to_be_what_it_is() -> None:
    assert set(MAKE.split()) == {each.name for each in FUNCTIONS.values() if each.origin == "make"}
    for origin, names in OTHERS.items():
        for name in names.split():
            assert FUNCTIONS[name].origin == origin, name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{1.emial}} {{1.email}}", ["1.emial"]),
        ("{{upper(first(1.rows[2.indx].a).naem)}}", ["2.indx"]),
        ("{{1.something_else}} {{3.emial}} {{var.emial}}", []),
    ],
)
def test_a_misspelt_field_is_told(text: str, wanted: list[str]) -> None:
    found = unknown_fields(text, {1: ["email", "rows"], 2: ["index"]})
    assert [each.name for each in found] == wanted
    assert all("Did you mean" in each.message for each in found)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if "{{" in value else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts_of(item)]


def test_every_mapping_of_the_corpus_parses() -> None:
    seen = 0
    failed = []
    for file in sorted(shared_dir("corpus", "blueprints").glob("*.json")):
        document = json.loads(file.read_text("utf-8-sig"))
        document = document.get("response", document)
        document = document.get("blueprint", document)
        document = json.loads(document) if isinstance(document, str) else document
        for text in texts_of(document.get("flow") or []):
            seen += 1
            try:
                warnings_of(text)
                uses(text)
            except ExpressionError as error:
                failed.append((file.name, text[:80], error.message))
    assert seen > 2000
    assert not failed


def test_an_empty_expression_compiles() -> None:
    assert compile_template("{{ }}", {})([]) == ""
