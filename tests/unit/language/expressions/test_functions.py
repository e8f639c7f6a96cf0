from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from junctor.errors import DataError, ExpressionError
from junctor.language.expressions import FUNCTIONS, compile_template
from junctor.language.expressions.functions.patterns import compile_pattern

EXAMPLES = [
    pytest.param(text, wanted, id=f"{info.name}-{number}")
    for info in FUNCTIONS.values()
    for number, (text, wanted) in enumerate(info.examples, 1)
]


@pytest.mark.parametrize(("text", "wanted"), EXAMPLES)
def test_an_example_is_true(run: Callable[..., Any], text: str, wanted: Any) -> None:
    found = run(text)
    assert found == wanted
    assert isinstance(found, bool) == isinstance(wanted, bool)


def test_every_function_has_help_and_an_example() -> None:
    assert len(FUNCTIONS) > 100
    for info in FUNCTIONS.values():
        first, *_ = info.summary.splitlines()
        assert first.endswith((".", "…")), info.name
        assert 10 < len(first) <= 120, info.name
        assert info.examples, info.name
        assert info.signature.startswith(info.name + "("), info.name


def test_a_signature_shows_what_is_optional() -> None:
    assert FUNCTIONS["replace"].signature == "replace(text; search; replacement)"
    assert FUNCTIONS["trunc"].signature == "trunc(number; [decimals])"
    assert FUNCTIONS["sum"].signature == "sum(numbers…)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{{parseDate("nothing"; "YYYY-MM-DD")}}', "is not a date in the format"),
        ('{{parseDate("2015-13-01"; "YYYY-MM-DD")}}', "month must be in 1..12"),
        ('{{abs("x")}}', "text 'x' is not a number"),
        ("{{sum(1.arr)}}", "is not a number"),
        ("{{pick(1.arr; 1)}}", "is not a collection"),
        ('{{setDay(now; "someday")}}', "is not a day of the week"),
        ("{{addYears(now; 100000)}}", "outside of all dates"),
        ('{{formatDate("soon"; "YYYY")}}', "is not a date"),
        ('{{sort(1.arr; "asc"; )}}{{sort(1.arr; "up"; "k")}}', "is no order"),
        ('{{toBinary("zz"; "hex")}}', "can't be read as hex"),
        ('{{toString(1.bytes; "zlib")}}', "is no encoding"),
        ("{{toString(1.bytes)}}", "can't be read as utf8"),
        ('{{decodeURL("%ff")}}', "UTF-8"),
        ('{{parseJSON("{")}}', "not valid JSON"),
        ('{{replace("a"; "/(/"; "b")}}', "no regular expression"),
        ("{{formatNumber(1; 1000)}}", "between 0 and 100"),
        ("{{sqrt(-1)}}", "square root"),
        ("{{power(10; 1000)}}", "can't be raised"),
        ("{{log(0)}}", "no logarithm"),
        ("{{log(2; 1)}}", "to the base 1"),
        ('{{arrayDifference(1.arr; 1.arr; "odd")}}', "use classic or symmetric"),
        ('{{filter(1.users; "age"; "~"; 1)}}', "is no comparison"),
        ('{{filter(1.users; "age"; ">"; 1; "<")}}', "no value after it"),
        ('{{collection("a")}}', "no value after it"),
        ('{{dateDifference(now; now; "decades")}}', "is no unit of time"),
    ],
)
def test_a_failure_says_why(run: Callable[..., Any], text: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        run(text)
    assert reason in caught.value.message


def test_a_failure_names_the_innermost_function(run: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"abs: text 'x'") as caught:
        run('{{upper(floor(abs("x")))}}')
    assert caught.value.params["function"] == "abs"


def test_an_unknown_function_is_told_with_the_nearest_one() -> None:
    with pytest.raises(
        ExpressionError, match=r"Function 'uper' not found! Did you mean 'upper'\?"
    ) as caught:
        compile_template("x {{uper(1.name)}}", {1: 1})
    assert caught.value.params["position"] == 4
    assert caught.value.params["name"] == "uper"


@pytest.mark.parametrize(
    "text", ["{{upper()}}", "{{round(1; 2)}}", "{{if(true)}}", "{{ifempty(1; 2; 3)}}"]
)
def test_a_wrong_number_of_arguments_is_found_when_compiling(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"takes at (least|most) \d arguments, not \d"):
        compile_template(text, {1: 1})


def test_only_the_chosen_branch_is_evaluated(run: Callable[..., Any]) -> None:
    assert run("{{if(true; 1; 1 / 0)}}") == 1
    assert run("{{ifempty(1.name; 1 / 0)}}") == "Ann"
    assert run('{{switch("a"; "a"; 1; 1 / 0; 2)}}') == 1


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("/(a+)+$/", "a" * 40 + "!"),
        ("/(a|a)*b/", "a" * 60),
        ("/^(\\w+\\s?)*$/", "word " * 40 + "!"),
    ],
)
def test_a_catastrophic_pattern_ends(run: Callable[..., Any], pattern: str, text: str) -> None:
    # Either the library finds a way, or it gives up in time; it never hangs.
    with contextlib.suppress(DataError):
        assert run('{{replace(1.t; 1.p; "")}}', {"t": text, "p": pattern}) == text


def test_no_use_of_a_pattern_takes_long(run: Callable[..., Any]) -> None:
    bundle = {"t": "a" * 5000 + "!", "p": "(a|aa)+$"}
    for text in (
        '{{replace(1.t; "/" + 1.p + "/g"; "")}}',
        '{{replacePattern(1.t; 1.p; "")}}',
        '{{replace(1.t; "/(?=(a+))\\1b|(a*)*c/"; "")}}',
    ):
        with contextlib.suppress(DataError):
            run(text, bundle)


def test_a_pattern_that_repeats_absurdly_is_refused(run: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="repeats too often"):
        run('{{replace("a"; "/a{100000}/"; "")}}')


def test_code_points_are_no_repetitions(run: Callable[..., Any]) -> None:
    assert run('{{replace("a\U00020000b"; "/\\u{20000}/"; "-")}}') == "a-b"
    assert compile_pattern(r"(?:\u{9999}{900}){40}") is not None
    for pattern in (r"\\u{20000}", r"\{a{20000}"):
        with pytest.raises(DataError, match="repeats too often"):
            compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(?:a{1000}){1000}", "((a{300}){300}){300}", r"(?=[ab]{999}){999,}", "a{9999}" * 9]
)
def test_repetitions_that_multiply_are_refused_before_they_take_the_memory(pattern: str) -> None:
    with pytest.raises(DataError, match="multiply to too much"):
        compile_pattern(pattern)


def test_repetitions_that_stay_small_are_not() -> None:
    for pattern in (
        r"(?:\d{3}[-.]){2}\d{4}",
        "(?:(?:ab){1,999}){1,999}",
        r"\(a{9999}",
        "[{9}]{99}",
    ):
        compile_pattern(pattern)


def test_a_chain_of_replacements_can_not_grow_without_end(run: Callable[..., Any]) -> None:
    text = "1.name"
    for _ in range(12):
        text = f'replace({text}; "n"; "nnnnnnnnnn")'
    with pytest.raises(DataError, match="more than"):
        run("{{" + text + "}}")
    with pytest.raises(DataError, match="more than"):
        run('{{replace(1.t; "/x/g"; 1.t)}}', {"t": "x" * 10_000})
    with pytest.raises(DataError, match="more than"):
        run("{{join(split(1.t; emptystring); 1.t)}}", {"t": "x" * 10_000})


def test_shuffle_uses_the_run_s_randomness(run: Callable[..., Any]) -> None:
    assert run("{{shuffle(1.arr)}}") == run("{{shuffle(1.arr)}}")
    assert sorted(run("{{shuffle(1.arr)}}")) == ["a", "b", "c"]


def test_functions_leave_the_bundle_alone(run: Callable[..., Any]) -> None:
    bundle = {"a": [3, 1, 2]}
    run("{{sort(1.a)}}{{reverse(1.a)}}{{add(1.a; 4)}}{{shuffle(1.a)}}", bundle)
    assert bundle == {"a": [3, 1, 2]}
