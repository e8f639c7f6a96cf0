from __future__ import annotations

import csv
import json
from pathlib import Path as Path_
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import ExpressionError
from junctor.language.expressions import FUNCTIONS, KEYWORDS, Template, parse, print_template
from junctor.language.expressions.nodes import (
    Call,
    Chain,
    Empty,
    Keyword,
    Literal,
    Path,
    Step,
    Unary,
)
from tests.support import shared_dir


def only(text: str) -> Any:
    (part,) = parse(text).parts
    return part


def test_text_without_expressions_is_one_part() -> None:
    assert parse("plain } text {") == Template(("plain } text {",))
    assert parse("") == Template(())


def test_a_path() -> None:
    assert only("{{1.name}}") == Path(1, (Step("name"),))
    assert only("{{1.`Customer Name`}}") == Path(1, (Step("Customer Name"),))
    assert only("{{`2`}}") == Path(2, ())
    assert only("{{1.a[].b[2][-1]}}") == Path(
        1, (Step("a"), Step(None), Step("b"), Step(2), Step(-1))
    )
    assert only('{{1.rows[2.i]["k"]}}') == Path(
        1, (Step("rows"), Step(Path(2, (Step("i"),))), Step("k"))
    )
    assert only("{{first(1.a).b}}") == Path(Call("first", (Path(1, (Step("a"),)),)), (Step("b"),))
    assert only("{{3.$1}}") == Path(3, (Step("$1"),))
    assert only("{{4.имя}}") == Path(4, (Step("имя"),))
    assert only("{{var.scenario.name}}") == Path("var", (Step("scenario"), Step("name")))
    assert only("{{1.now.and.or}}") == Path(1, (Step("now"), Step("and"), Step("or")))
    assert only("{{1.rows.0.1}}") == Path(1, (Step("rows"), Step("0"), Step("1")))


def test_numbers_are_no_paths() -> None:
    assert only("{{2}}") == Literal(2)
    assert only("{{2.5}}") == Literal(2.5)
    assert only("{{1.5e3}}") == Literal(1500)


def test_a_quote_is_doubled_and_a_backslash_ordinary() -> None:
    assert only('{{""""}}') == Literal('"')
    assert only('{{"\\"""}}') == Literal('\\"')
    assert only("{{'it''s'}}") == Literal("it's")
    assert only('{{"}}"}}') == Literal("}}")
    assert only('{{"a\nb"}}') == Literal("a\nb")


def test_json_around_expressions() -> None:
    assert parse('{"a":{{1.x}}}').parts == ('{"a":', Path(1, (Step("x"),)), "}")
    assert parse("{{{1.x}}}").parts == ("{", Path(1, (Step("x"),)), "}")


def test_doubled_braces_are_recovered_and_said() -> None:
    template = parse("{{{{1.x}}}}")
    assert template.parts == ("{{", Path(1, (Step("x"),)), "}}")
    assert template.recovered
    assert not parse("{{{1.x}}}").recovered


def test_precedence_is_javascript_s() -> None:
    assert only("{{1 + 2 * 3}}") == Chain(
        5, Literal(1), (("+", Chain(6, Literal(2), (("*", Literal(3)),))),)
    )
    assert only("{{(1 + 2) * 3}}") == Chain(
        6, Chain(5, Literal(1), (("+", Literal(2)),)), (("*", Literal(3)),)
    )
    assert only("{{true or false and true}}") == only("{{true || (false && true)}}")
    assert only("{{!1.a = 2}}") == only("{{(!1.a) = 2}}")
    assert only("{{- 1.a}}") == Unary("-", Path(1, (Step("a"),)))


def test_arguments_may_be_empty() -> None:
    assert only('{{replace(1; "a"; )}}') == Call("replace", (Literal(1), Literal("a"), Empty()))
    assert only("{{f()}}") == Call("f", ())
    assert only("{{f(;)}}") == Call("f", (Empty(), Empty()))


@pytest.mark.parametrize(
    ("text", "position", "found"),
    [
        ("{{", 0, ""),
        ("x {{1.a", 2, ""),
        ("{{1.a, 2}}", 5, ","),
        ("{{upper(1.a}}", 11, "}}"),
        ('{{upper("a)}}', 8, '"'),
        ('{{x({"a" 1})}}', 9, "1"),
        ("{{x([1)}}", 6, ")"),
        ("{{1.a } }}", 6, "}"),
        ("{{1.}}", 4, "}}"),
        ("{{1 2}}", 4, "2"),
        ("{{1.a[1;2]}}", 7, ";"),
        ("{{a ? b}}", 4, "?"),
    ],
)
def test_an_error_says_where_and_what(text: str, position: int, found: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    params = caught.value.params
    assert (params["position"], params["found"]) == (position, found)
    assert params["expected"]


@pytest.mark.parametrize(
    "text",
    ["(" * 10_000, "!" * 10_000 + "1", "-" * 10_000 + "1", "upper(" * 10_000, "1 + (" * 10_000],
)
def test_depth_is_limited(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested deeper than"):
        parse("{{" + text + "}}")


def test_length_is_limited_but_a_long_sum_is_fine() -> None:
    with pytest.raises(ExpressionError, match="characters"):
        parse("{{1}}" + " " * 1_000_000)
    assert parse("{{1" + " + 1" * 5_000 + "}}").parts


NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,8}", fullmatch=True),
    st.text(st.characters(exclude_characters="`", exclude_categories=["Cs"]), max_size=8),
)
STEPS = st.lists(
    st.one_of(NAMES.map(Step), st.integers(-99, 99).map(Step), st.just(Step(None))),
    max_size=4,
).map(tuple)
LEAVES = st.one_of(
    st.integers(0, 2**62).map(Literal),
    st.floats(0.001, 1e30, allow_nan=False).filter(lambda x: not x.is_integer()).map(Literal),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(Literal),
    st.sampled_from(sorted(KEYWORDS)).map(Keyword),
    st.builds(Path, st.integers(0, 999), STEPS),
    st.builds(Path, st.sampled_from(["var", "error"]), STEPS),
    st.builds(Path, st.just(1), st.builds(Path, st.just(2), STEPS).map(lambda path: (Step(path),))),
)


def chains(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def of(level: int, operators: list[str]) -> st.SearchStrategy[Any]:
        rest = st.lists(st.tuples(st.sampled_from(operators), children), min_size=1, max_size=3)
        return st.builds(Chain, st.just(level), children, rest.map(tuple))

    return st.one_of(
        of(1, ["|"]),
        of(2, ["&"]),
        of(3, ["=", "!="]),
        of(4, ["<", ">="]),
        of(5, ["+", "-"]),
        of(6, ["*", "/", "%"]),
    )


def arguments(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any arguments but one empty one, which can't be told from none."""
    some = st.lists(st.one_of(children, st.just(Empty())), max_size=3)
    return some.map(lambda each: () if each == [Empty()] else tuple(each))


EXPRESSIONS = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        chains(children),
        st.builds(Unary, st.sampled_from("!-"), children),
        st.builds(Path, children, st.just((Step("x"), Step(None)))),
        st.builds(
            Call,
            st.sampled_from(sorted(FUNCTIONS)),
            arguments(children),
        ),
    ),
    max_leaves=8,
)


@given(st.lists(EXPRESSIONS, min_size=1, max_size=3).map(tuple))
def test_what_is_printed_parses_to_the_same(parts: tuple[Any, ...]) -> None:
    template = Template(parts)
    assert parse(print_template(template)) == template


FRAGMENTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{",
                "}",
                '"',
                "'",
                "`",
                "1.a",
                "(",
                ")",
                ";",
                "[",
                "]",
                "if",
                "now",
                "upper(",
                "+",
                "!",
                "-",
                "|",
                "1",
                ".",
                " ",
                "\n",
                ",",
                '\\"',
                "\\",
                ":",
                "/",
                "/g",
                "or(",
                "and",
                "a b",
                "JSON.parse(",
                "error.x",
                "9" * 500,
                "1e999",
                "(" * 130,
                "!" * 130,
                "é",
                "\U0001f600",
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=20,
).map("".join)


@given(FRAGMENTS)
def test_any_text_parses_or_says_why(text: str) -> None:
    try:
        template = parse(text)
    except ExpressionError as error:
        position = error.params["position"]
    else:
        position = 0
        assert parse(print_template(template)) == template
    assert 0 <= position <= len(text)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts_of(item)]


def test_what_make_exported_parses() -> None:
    rows = csv.DictReader((shared_dir("corpus") / "INDEX.csv").read_text("utf-8").splitlines())
    genuine = {row["file"] for row in rows if row["class"] in {"export", "official_sample"}}
    seen = recovered = 0
    failed = []
    for file in sorted(shared_dir("corpus", "blueprints").glob("*.json")):
        if file.name not in genuine:
            continue
        for text in texts_of([_mapped(module) for module in _modules(_flow(file))]):
            if "{{" not in text:
                continue
            seen += 1
            try:
                template = parse(text)
            except ExpressionError as error:
                failed.append((file.name, text[:80], error.message))
            else:
                recovered += template.recovered
                assert parse(print_template(template)) == template
    assert seen > 500
    assert not failed
    assert recovered <= 20


def _flow(file: Path_) -> list[Any]:
    blueprint = json.loads(file.read_text("utf-8-sig"))
    if "response" in blueprint:
        blueprint = blueprint["response"]["blueprint"]
    blueprint = json.loads(blueprint) if isinstance(blueprint, str) else blueprint
    return blueprint.get("flow") or []


def _modules(flow: list[Any]) -> Any:
    for module in flow:
        yield module
        for branch in [*module.get("routes", []), *module.get("branches", [])]:
            yield from _modules(branch.get("flow", []))
        yield from _modules(module.get("onerror", []))


def _mapped(module: dict[str, Any]) -> list[Any]:
    return [module.get("mapper"), (module.get("filter") or {}).get("conditions")]
