from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from junctor.errors import BundleInvalid, ExpressionError
from junctor.language.expressions import Scope
from junctor.language.filters import OPERATORS, compile_filter
from junctor.language.scenario import Condition, Filter

DATE = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
SCOPE = Scope(
    now=lambda: DATE,
    random=lambda: 0.5,
    uuid=lambda: "id",
    zone=timezone(timedelta(hours=2)),
)


def passes(operator: str, a: Any, b: Any = None) -> bool:
    """Whether a condition over two mapped values holds."""
    condition = Condition(operator, "{{1.a}}", "{{1.b}}")
    found = compile_filter(Filter(groups=((condition,),)), {1: 1})([SCOPE, {"a": a, "b": b}])
    assert isinstance(found, bool)
    return found


CASES: list[tuple[str, Any, Any, bool]] = [
    ("exist", "", None, True),
    ("exist", 0, None, True),
    ("exist", None, None, False),
    ("notexist", None, None, True),
    ("text:equal", None, "", True),
    ("text:equal", 5, "5", True),
    ("text:equal", "a", "A", False),
    ("text:equal:ci", "a", "A", True),
    ("text:notequal", "a", "A", True),
    ("text:notequal:ci", "a", "A", False),
    ("text:contain", "Hello", "ell", True),
    ("text:contain", ["a", "b"], "b", True),
    ("text:contain", "Hello", "ELL", False),
    ("text:contain:ci", "Hello", "ELL", True),
    ("text:notcontain", "Hello", "x", True),
    ("text:notcontain:ci", "Hello", "ELL", False),
    ("text:startwith", "Hello", "He", True),
    ("text:notstartwith:ci", "Hello", "he", False),
    ("text:endwith", "Hello", "lo", True),
    ("text:notendwith", "Hello", "lo", False),
    ("text:pattern", "a12b", r"\d+", True),
    ("text:pattern", "A", "^a$", False),
    ("text:pattern:ci", "A", "^a$", True),
    ("text:pattern", "A", "/^a$/i", True),
    ("text:notpattern", "a", r"\d", True),
    ("text:equal", b"\xff", "x", False),
    ("number:equal", "5.0", 5, True),
    ("number:equal", None, 0, False),
    ("number:equal", "", 0, False),
    ("number:notequal", "x", 5, True),
    ("number:greater", "10", "9", True),
    ("number:greater", "x", 5, False),
    ("number:less", 4, 5, True),
    ("number:greaterorequal", 5, 5, True),
    ("number:lessorequal", 6, 5, False),
    ("date:equal", DATE, "2026-11-22T00:30:00", True),
    ("date:greater", "2026-01-02", "2026-01-01", True),
    ("date:less", "soon", "2026-01-01", False),
    ("date:notequal", None, DATE, True),
    ("time:equal", DATE, "0:30", True),
    ("time:less", "9:05", "10:00:00", True),
    ("time:greaterorequal", "x", "1:00", False),
    ("semver:greater", "1.10.0", "1.9.9", True),
    ("semver:less", "1.0.0-beta.2", "1.0.0-beta.10", True),
    ("semver:less", "1.0.0-rc", "1.0.0", True),
    ("semver:equal", "v1.2", "1.2.0", True),
    ("semver:equal", "one", "one", False),
    ("array:contain", ["a", "b"], "b", True),
    ("array:contain", [1, 2], "2", True),
    ("array:contain", None, "b", False),
    ("array:contain:ci", ["A"], "a", True),
    ("array:notcontain", ["a"], "A", True),
    ("array:notcontain:ci", ["a"], "A", False),
    ("array:equal", ["a", "b"], 2, True),
    ("array:greater", ["a", "b"], "1", True),
    ("array:lessorequal", None, 0, True),
    ("boolean:equal", True, "true", True),
    ("boolean:equal", None, "false", True),
    ("boolean:notequal", "false", True, True),
    ("text:isempty", None, None, True),
    ("text:isnotempty", "x", None, True),
    ("string:equal", "x", "x", True),
]


@pytest.mark.parametrize(("operator", "a", "b", "wanted"), CASES)
def test_an_operator(operator: str, a: Any, b: Any, wanted: bool) -> None:
    assert passes(operator, a, b) is wanted


def test_every_documented_operator_is_there() -> None:
    verbs = ["equal", "contain", "startwith", "endwith", "pattern"]
    texts = [*verbs, *(f"not{verb}" for verb in verbs)]
    order = ["equal", "notequal", "greater", "less", "greaterorequal", "lessorequal"]
    wanted = {"exist", "notexist", "boolean:equal", "boolean:notequal"}
    wanted |= {f"text:{verb}{case}" for verb in texts for case in ("", ":ci")}
    wanted |= {f"{kind}:{verb}" for kind in ("number", "date", "time", "semver") for verb in order}
    wanted |= {f"array:{verb}" for verb in order}
    wanted |= {f"array:{verb}{case}" for verb in ("contain", "notcontain") for case in ("", ":ci")}
    assert {name for name, each in OPERATORS.items() if not each.invented} == wanted
    assert all(each.label and each.name == name for name, each in OPERATORS.items())


def test_any_group_of_all_conditions() -> None:
    yes = Condition("text:equal", "a", "a")
    no = Condition("text:equal", "a", "b")
    for groups, wanted in [
        ((), True),
        (((yes,),), True),
        (((yes, no),), False),
        (((yes, no), (yes,)), True),
        (((no,), (no, yes)), False),
        (((yes, yes),), True),
    ]:
        assert compile_filter(Filter(groups=groups), {})([SCOPE]) is wanted


def test_a_list_path_gives_arrays_their_list_and_others_the_first() -> None:
    bundle = {"a": [{"t": "x"}, {"t": "y"}]}
    array = Condition("array:contain", "{{1.a[].t}}", "y")
    text = Condition("text:equal", "{{1.a[].t}}", "x")
    for condition in (array, text):
        assert compile_filter(Filter(groups=((condition,),)), {1: 1})([SCOPE, bundle])


def test_the_other_side_may_be_any_json() -> None:
    condition = Condition("boolean:equal", "{{1.a}}", b=True)
    assert compile_filter(Filter(groups=((condition,),)), {1: 1})([SCOPE, {"a": "yes"}])


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ExpressionError, match="'text:equals' not found! Did you mean 'text:equal'"):
        compile_filter(Filter(groups=((Condition("text:equals", "a", "b"),),)), {})


@pytest.mark.parametrize("operator", ["text:equal", "array:contain"])
def test_an_expression_that_fails_names_the_condition(operator: str) -> None:
    good = Condition("exist", "x")
    bad = Condition(operator, "{{abs(1.a)}}", "b")
    evaluate = compile_filter(Filter(groups=((good, bad),)), {1: 1})
    with pytest.raises(BundleInvalid, match=r"Failed to map 'filter\[1\]\[2\]\.a': abs: text 'x'"):
        evaluate([SCOPE, {"a": "x"}])


def test_a_bad_pattern_is_an_error_of_ours() -> None:
    with pytest.raises(BundleInvalid, match=r"filter\[1\]\[1\].*no regular expression"):
        passes("text:pattern", "a", "(")


def test_a_condition_that_can_not_be_read_names_its_side() -> None:
    condition = Condition("array:contain", "{{nope(1.a)}}", "x")
    filter_ = Filter(groups=((condition,),))
    with pytest.raises(ExpressionError, match=r"'filter\[1\]\[1\]\.a': Function 'nope'"):
        compile_filter(filter_, {1: 1})
