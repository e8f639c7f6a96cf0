from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import DataError, ExpressionError, JunctorError
from junctor.language.expressions import (
    FAILED,
    Scope,
    compile_argument,
    compile_template,
    constant,
    parse,
    print_template,
    uses,
)
from junctor.language.expressions.functions.registry import FUNCTIONS
from junctor.language.values import ERASE, IGNORE, plain
from tests.support import shared_dir


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{1.n}}", 5),
        (" {{1.n}}", " 5"),
        ("{{1.arr}}", ["a", "b", "c"]),
        ("x{{1.nul}}y{{1.missing}}", "xy"),
        ("{{1.f}}{{1.n}}{{1.name}}{{1.zero}}", "false5Ann0"),
        ("{{1.name}} {{1.n}} {{1.col}}", 'Ann 5 {"k1":"v1","k2":"v2"}'),
        ("{{1.arr}}!", "a,b,c!"),
        ("{{1.when}}.", "2015-08-07T11:36:39.000Z."),
        ('{"a":{{1.n}}}', '{"a":5}'),
        ("{{{{1.name}}}}", "{{Ann}}"),
        ("a{{ignore}}b{{erase}}c", "abc"),
    ],
)
def test_one_expression_keeps_its_type_and_more_are_text(
    run: Callable[..., Any], text: str, wanted: Any
) -> None:
    assert run(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{1.users[1].name}}", "Bob"),
        ("{{1.users[-1].name}}", "Cid"),
        ("{{1.users[0].name}}", None),
        ("{{1.users[9].name}}", None),
        ("{{1.users[].name}}", "Bob"),
        ("{{1.arr[]}}", "a"),
        ("{{1.col[].k1}}", "v1"),
        ("{{1.name.x}}", None),
        ("{{1.name[1]}}", None),
        ("{{1.users[].mail.v}} and", "b@x and"),
        ("{{length(1.users[].name)}}", 3),
        ('{{join(1.users[].mail.v; ",")}}', "b@x,a@x,c@x"),
        ("{{1.arr[1.nums[2] + 1]}}", "b"),
        ('{{1.col["k" + 1.nums[2]]}}', "v1"),
        ("{{last(1.users).name}}", "Cid"),
        ('{{join(map(1.users; "mail")[].v; ",")}}', "b@x,a@x,c@x"),
        ("{{2.anything}}", None),
        ("{{length(2.anything[])}}", 0),
        ("{{var.scenario.name}}", "Calls"),
        ("{{sum(var.input.list[].a)}}", 3),
        ("{{var.team.none}}", None),
        ("{{1.`0`}}", "colA"),
    ],
)
def test_paths(run: Callable[..., Any], text: str, wanted: Any) -> None:
    assert run(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{1 + 2 * 3}}", 7),
        ("{{(1 + 2) * 3}}", 9),
        ("{{7 - 2 - 1}}", 4),
        ("{{6 / 4}}", 1.5),
        ("{{6 / 3}}", 2),
        ("{{-7 % 3}}", -1),
        ('{{"a" + 1}}', "a1"),
        ('{{1 + 2 + "a"}}', "3a"),
        ("{{1.nul + 1}}", 1),
        ('{{"a" + 1.nul}}', "a"),
        ('{{"6" * "2"}}', 12),
        ("{{true + 1}}", 2),
        ("{{1 = 1}}", True),
        ('{{5 = "5"}}', True),
        ('{{"5" = "5.0"}}', False),
        ('{{true = "true"}}', False),
        ("{{true = 1}}", False),
        ('{{1.nul = ""}}', False),
        ("{{1.nul = 1.missing}}", True),
        ("{{1.arr != 1.nums}}", True),
        ('{{"10" > 9}}', True),
        ('{{"10" > "9"}}', False),
        ('{{"abc" > 1}}', False),
        ('{{"abc" <= 1}}', False),
        ("{{1.nul < 1}}", True),
        ('{{1.when > "2015-01-01"}}', True),
        ("{{1.nul < 1.when}}", False),
        ("{{1.when - 1.when}}", 0),
        ("{{1.when + 1000}}", "2015-08-07T11:36:40.000Z"),
        ("{{1.when - 1000}}", "2015-08-07T11:36:38.000Z"),
        ("{{(now - 1.when) / 1000 > 0}}", True),
        ("{{true & false | true}}", True),
        ("{{!(1.n > 3)}}", False),
        ("{{!1.zero}}", False),
        ("{{!1.nul}}", True),
        ("{{false and 1 / 0}}", False),
        ("{{1099511627776 * 1099511627776}}", 2**80),
    ],
)
def test_operators(run: Callable[..., Any], text: str, wanted: Any) -> None:
    found = run(text)
    assert found == wanted
    assert isinstance(found, bool) == isinstance(wanted, bool)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{1 / 0}}", "by zero"),
        ("{{1 % 1.nul}}", "by zero"),
        ('{{"a" * 2}}', "text 'a' is not a number"),
        ("{{1.arr - 1}}", "is not a number"),
        ("{{now + now}}", "two dates"),
        ("{{now + 1e300}}", "outside of all dates"),
        ("{{1e300 * 1e300}}", "larger than any number"),
        ("x{{1.bytes}}", "not UTF-8"),
    ],
)
def test_what_can_not_be_computed_says_why(run: Callable[..., Any], text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        run(text)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("null", None),
        ("true", True),
        ("emptystring", ""),
        ("emptyarray", []),
        ("space", " "),
        ("tab", "\t"),
        ("newline", "\n"),
        ("nbsp", "\u00a0"),
        ("carriagereturn", "\r"),
        ("now", "2026-11-21T10:30:00.000Z"),
        ("timestamp", 1795257000),
        ("pi", 3.141592653589793),
        ("random", 0.25),
        ("uuid", "6f0c9d7e-0000-4000-8000-000000000000"),
        ("executionId", "run_1"),
        ("executionID", "run_1"),
        ("triggerTimestamp", "2026-11-21T10:30:00.000Z"),
        ("scenarioID", ""),
        ("scenarioName", "Calls"),
        ("operationsConsumed", 0),
    ],
)
def test_keywords(run: Callable[..., Any], name: str, wanted: Any) -> None:
    assert run("{{" + name + "}}") == wanted


def test_keywords_of_a_run_that_says_more(scope: Scope) -> None:
    told = replace(
        scope,
        scenario_id="sc_1",
        scenario_name="Leads",
        triggered_at=datetime(2026, 11, 20, tzinfo=UTC),
        operations=lambda: 7,
    )
    text = "{{scenarioID}} {{scenarioName}} {{triggerTimestamp}} {{operationsConsumed}}"
    assert compile_template(text, {})([told]) == "sc_1 Leads 2026-11-20T00:00:00.000Z 7"
    assert uses("{{scenarioName}}").variables
    assert uses("{{triggerTimestamp}}").random


def test_error_alone_is_the_failed_module_s(scope: Scope) -> None:
    bundle = {"error": {"message": "no such row", "type": "DataError"}}

    def read(text: str) -> Any:
        return compile_template(text, {4: 1, FAILED: 1})([scope, bundle])

    assert read("{{error.message}} ({{error.type}}, {{4.error.type}})") == (
        "no such row (DataError, DataError)"
    )
    assert read("{{toString(error)}}") == '{"message":"no such row","type":"DataError"}'
    assert read("{{error}}") == bundle["error"]
    assert uses("{{upper(error.message)}}").error
    assert not uses("{{4.error.message}}").error
    with pytest.raises(ExpressionError, match=r"only inside an error handler.*1\.error\.message"):
        compile_template("{{error.message}}", {4: 1})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{YOUR_API_KEY}}", "looks like a placeholder"),
        ("{{upper}}", "write its arguments in parentheses"),
        ("{{newlin}}", "Did you mean 'newline'"),
        ("{{title}}", "A module's field is written as 1.name"),
        ("{{Math.floor(1.a)}}", "Function 'Math.floor' not found! Did you mean 'floor'"),
        ("{{toLowerCase(1.a)}}", "Did you mean 'lower'"),
        ("{{len(1.a)}}", "Did you mean 'length'"),
        ("{{qqqq(1.a)}}", "Function 'qqqq' not found!$"),
        ("{{1.a, 2}}", "Arguments are separated by semicolons"),
    ],
)
def test_an_error_says_how_to_mend_it(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=hint) as caught:
        compile_template(text, {})
    assert caught.value.params["position"] >= 2
    assert {"found", "expected"} <= set(caught.value.params)


def test_ignore_and_erase_are_themselves(scope: Scope) -> None:
    assert compile_template("{{if(true; ignore)}}", {})([scope]) is IGNORE
    assert compile_template("{{erase}}", {})([scope]) is ERASE


def test_an_unknown_name_is_refused_with_its_place() -> None:
    with pytest.raises(ExpressionError, match="Unknown name 'item'") as caught:
        compile_template("a {{item.name}}", {})
    assert caught.value.params["position"] == 4


def test_constants_fold() -> None:
    assert constant(compile_template("text", {}))
    assert constant(compile_template('a{{upper("b") + 1 + 2}}c', {}))
    assert constant(compile_template("{{7.not_there}}", {}))
    assert not constant(compile_template("{{1.a}}", {1: 1}))
    assert not constant(compile_template("{{now}}", {}))
    assert not constant(compile_template('{{formatDate("2026-01-01"; "Z")}}', {}))


def test_what_fails_as_a_constant_fails_when_evaluated(scope: Scope) -> None:
    evaluate = compile_template("{{1 / 0}}", {})
    with pytest.raises(DataError):
        evaluate([scope])


def test_a_whole_list_for_an_argument(scope: Scope) -> None:
    evaluate = compile_argument("{{1.a[].b}}", {1: 1})
    assert evaluate([scope, {"a": [{"b": 1}, {}, {"b": 2}]}]) == [1, None, 2]
    assert compile_argument("{{1.a}}", {1: 1})([scope, {"a": 3}]) == 3


def test_a_module_that_has_not_run_is_null(scope: Scope) -> None:
    for text in ("{{1.a}}", "{{1.a.b}}", "{{1.a.b.c}}", "{{1.a[1]}}", "{{`1`}}", "{{1.a.b.c.d}}"):
        assert compile_template(text, {1: 1})([scope, None]) is None


def test_the_organisation_s_zone(scope: Scope) -> None:
    east = timezone(timedelta(hours=2))
    there = Scope(now=scope.now, random=scope.random, uuid=scope.uuid, zone=east)

    def run(text: str) -> Any:
        return compile_template(text, {})([there])

    assert run('{{formatDate(parseDate("2026-01-01"; "YYYY-MM-DD"); "x")}}') == "1767218400000"
    assert run('{{formatDate(now; "HH:mm Z")}}') == "12:30 +02:00"
    assert run('{{formatDate(setHour(now; 0); "HH")}}') == "00"
    assert run('{{formatDate(now; "HH"; "Nowhere/None")}}') == "12"
    assert run('{{formatDate(now; "HH"; "UTC")}}') == "10"


DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{{1.d > "2026-01-01"}}', True),  # there it is 01:00
        ('{{1.d >= "2026-01-01 01:00"}}', True),
        ('{{1.d <= "2026-01-01 01:00"}}', True),
        ('{{1.d = "2026-01-01 01:00"}}', True),
        ('{{"2026-01-01 01:00" = 1.d}}', True),
        ('{{1.d != "2026-01-01 01:00"}}', False),
        ('{{1.d = "2025-12-31T23:00:00Z"}}', True),
        ('{{1.d = "soon"}}', False),
        ('{{1.d < "soon"}}', False),
        ("{{1.d = 1.nul}}", False),
        ('{{equal(1.d; "2026-01-01 01:00")}}', True),
        ('{{switch(1.d; "2026-01-01 01:00"; 1; 2)}}', 1),
        ('{{1.d - "2026-01-01"}}', 3_600_000),
        ('{{"2026-01-02 01:00" - 1.d}}', DAY),
        ('{{(1.d - "2026-01-01") / 1000 > 3599}}', True),
        ('{{1.d - "1000"}}', datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC)),
        ('{{"0" - 1.d}}', -1_767_222_000_000),
        ("{{1.d - 1.nul}}", datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_text_beside_a_date_is_one_in_the_organisation_s_zone(
    scope: Scope, text: str, wanted: Any
) -> None:
    there = replace(scope, zone=timezone(timedelta(hours=2)))
    bundle = {"d": datetime(2025, 12, 31, 23, tzinfo=UTC), "nul": None}
    assert compile_template(text, {1: 1})([there, bundle]) == wanted


def test_documented_idioms(scope: Scope) -> None:
    def run(text: str, bundle: Any) -> Any:
        return plain(compile_template(text, {1: 1})([scope, bundle]))

    days = "{{round((1.b - 1.a) / 1000 / 60 / 60 / 24)}}"
    a, b = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    assert run(days, {"a": a, "b": b}) == 59
    nth_weekday = (
        '{{addDays(setDate(1.date; 1); 1.n * 7 - formatDate(addDays(setDate(1.date; 1); "-" + '
        '1.dow); "E"))}}'
    )
    second_wednesday = run(nth_weekday, {"date": b, "n": 2, "dow": 3})
    assert second_wednesday == "2026-03-11T00:00:00.000Z"
    last = '{{parseDate(parseDate(formatDate(now; "YYYYMM01"); "YYYYMMDD"; "UTC") - 1; "x")}}'
    assert run(last, {}) == "2026-10-31T23:59:59.999Z"
    assert run("{{round(1.x * 100) / 100}}", {"x": 1.005 + 0.001}) == 1.01


def test_days_keep_the_time_of_day_over_a_change_of_clocks(scope: Scope) -> None:
    from zoneinfo import ZoneInfo

    prague = Scope(
        now=scope.now, random=scope.random, uuid=scope.uuid, zone=ZoneInfo("Europe/Prague")
    )

    def run(text: str) -> Any:
        return plain(compile_template(text, {})([prague]))

    assert run('{{addDays("2026-03-28T12:00:00"; 1)}}') == "2026-03-29T10:00:00.000Z"
    assert run('{{addHours("2026-03-28T12:00:00"; 24)}}') == "2026-03-29T11:00:00.000Z"


def test_the_vectors(scope: Scope) -> None:
    document = json.loads(shared_dir("vectors", "iml_vectors.json").read_text("utf-8"))
    wrong = []
    for vector in document["vectors"]:
        context = document["contexts"].get(vector.get("context"), {})
        slots = {int(module): slot for slot, module in enumerate(context, 1)}
        found = plain(compile_template(vector["expr"], slots)([scope, *context.values()]))
        wanted = vector["expected"]
        if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            wrong.append((vector["expr"], found, wanted))
    assert not wrong


BUNDLES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=6),
        st.binary(max_size=3),
        st.datetimes().map(lambda date: date.replace(tzinfo=UTC)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    ),
    max_leaves=5,
)
CALLS = st.sampled_from(sorted(FUNCTIONS)).flatmap(
    lambda name: st.lists(
        st.sampled_from(["1.a", "1.b", '"name"', "2", "-1", '"/(a)+/g"', "null", "1.a[].b", "now"]),
        min_size=FUNCTIONS[name].least,
        max_size=FUNCTIONS[name].most if FUNCTIONS[name].most is not None else 4,
    ).map(lambda arguments: f"{name}({'; '.join(arguments)})")
)


@given(CALLS, BUNDLES, BUNDLES, st.sampled_from(["{{%s}}", "x{{%s}}", "{{%s + 1}}", "{{!%s}}"]))
def test_a_function_answers_anything_with_a_value_or_our_error(
    call: str, a: Any, b: Any, shape: str
) -> None:
    scope = Scope(
        now=lambda: datetime(2026, 1, 31, tzinfo=UTC), random=lambda: 0.999, uuid=lambda: "id"
    )
    text = shape % call
    evaluate = compile_template(text, {1: 1})
    try:
        found = evaluate([scope, {"a": a, "b": b}])
    except JunctorError as error:
        found = error.message
    assert isinstance(plain(found), type(None) | bool | int | float | str | list | dict)
    assert print_template(parse(text))
