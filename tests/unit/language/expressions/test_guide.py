"""The examples of the reference page that are not functions' are true, and none is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from junctor.errors import DataError
from junctor.language.expressions.guide import COERCIONS, OPERATORS, TOKENS
from junctor.language.expressions.moment import TOKEN, format_moment
from junctor.language.expressions.moment_parse import parse_moment
from junctor.language.expressions.nodes import LEVELS
from junctor.language.values import coerce, plain


@pytest.mark.parametrize(
    ("text", "wanted"), [each for operator in OPERATORS for each in operator.examples]
)
def test_operators(run: Callable[..., Any], text: str, wanted: Any) -> None:
    found = run(text)
    assert found == wanted
    assert isinstance(found, bool) == isinstance(wanted, bool)


def test_every_operator_is_told() -> None:
    spellings = {spelling for operator in OPERATORS for spelling in operator.spellings}
    assert set(LEVELS) | {"!", "and", "or", "&&", "||", "==", "===", "!=="} == spellings


@pytest.mark.parametrize("coercion", COERCIONS, ids=lambda each: each.type)
def test_coercions(coercion: Any) -> None:
    for value, wanted in coercion.examples:
        found = coerce(value, coercion.type, UTC)
        assert (plain(found) if isinstance(found, datetime) else found) == wanted
    for value in coercion.refused:
        with pytest.raises(DataError):
            coerce(value, coercion.type, UTC)


def test_every_token_is_told() -> None:
    said = set(TOKENS) - {"[at]"}
    assert all(TOKEN.fullmatch(token) for token in said)
    wanted = """
        YYYY YY Y Q Qo M Mo MM MMM MMMM D Do DD DDD DDDo DDDD d do dd ddd dddd E w wo ww W Wo WW
        gg gggg GG GGGG H HH h hh k kk A a m mm s ss S SSSSSSSSS Z ZZ X x LT LTS L LL LLL LLLL
        """
    assert set(wanted.split()) <= said


DATE = datetime(2015, 8, 7, 13, 6, 9, 100000, tzinfo=UTC)


@pytest.mark.parametrize(
    "pattern",
    [
        "YYYY Q M D H m s S Z",
        "YY MM DD HH mm ss SS ZZ",
        "YYYY MMM Do hh mm ss SSS a",
        "YYYY MMMM D h m s S A",
        "YYYY DDD k m s S",
        "YYYY DDDD kk m s S",
        "GGGG W E HH mm ss S",
        "GG WW E HH mm ss S",
        "gggg ww e HH mm ss SS",
        "dddd MMMM D YYYY HH:mm:ss.SS",
        "ddd MMM D YYYY HH:mm:ss.SS",
        "x",
        "LLLL ss SS",
        "L LTS SS",
        "YYYY-MM-DD[T]HH:mm:ss.SSSZ",
        "[day] D [of] M YYYY HH:mm:ss.SS",
    ],
)
def test_what_is_printed_with_a_token_is_read_with_it(pattern: str) -> None:
    text = format_moment(DATE, pattern, UTC)
    assert parse_moment(text, pattern, UTC, DATE) == DATE
