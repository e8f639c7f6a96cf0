"""People are found however they are spelled, and the index finds whatever they are found in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import Misconfigured
from junctor.language.people import MARK, Person, lexemes, query

JANE = Person(phones=["+1 202 555 0142"], emails=["Jane.Doe+x@Example.com"], words=["Jane  Doe"])

SPELLED = [
    "+12025550142",
    "+1 (202) 555-0142",
    "1-202-555-0142",
    "202.555.0142",
    "(202) 555 0142",
    "0012025550142",
    "011 1 202 555 0142",
    "tel:+1-202-555-0142;ext=2",
    "call 2025550142, please",
    "to=%2B12025550142&x=1",
    "/contacts/%202025550142",
    "+1\u00a0202\u2011555\u20110142",
    "12025550142 12025550199",
    "JANE.DOE+x@example.COM",
    "<jane.doe+x@example.com>",
    "mail=jane.doe%2Bx%40example.com",
    "%3Cjane.doe+x%40example.com%3E",
    "jane.doe+x&#64;example.com",
    '{"note": "hello\\njane.doe+x@example.com"}',
    '{"mail": "jane.doe+x\\u0040example.com"}',
    "Dear jane   doe,",
    "name=Jane+Doe",
    "Jane%20Doe",
]
OTHERS = [
    "+12025550143",
    "912025550142",
    "20255501423",
    "+44 2025550142",
    "0044 202 555 0142",
    "jane.doe@example.com",
    "mary.jane.doe+x@example.com",
    "jane.doe+x@example.com.au",
    "Jane Does",
    "2024-05-06T07:08:09Z",
]


def found_by(asked: str, text: str) -> bool:
    """What PostgreSQL does with a query of ours."""
    terms = set(lexemes(text))
    for group in asked.split(" | "):
        wanted = re.findall(r"'((?:[^']|'')+)'(:\*)?", group)
        if all(
            any(term.startswith(each) if prefix else term == each for term in terms)
            for each, prefix in wanted
        ):
            return True
    return False


@pytest.mark.parametrize("text", SPELLED)
def test_every_spelling_is_found_and_indexed(text: str) -> None:
    assert JANE.in_text(text)
    assert JANE.erase(text) == (MARK, 1)
    assert found_by(JANE.wanted(), text)


@pytest.mark.parametrize("text", OTHERS)
def test_others_are_left_alone(text: str) -> None:
    assert not JANE.in_text(text)
    assert JANE.erase(text) == (text, 0)


def test_a_country_with_trunk_zeros() -> None:
    max_ = Person(phones=["0170 1234567"], region="de")
    assert max_.phones == ["+491701234567"]
    for text in ("+49 (0)170 1234567", "0170/1234567", "0049 170 12 34 567", "+49170-1234567"):
        assert max_.in_text(text), text
        assert found_by(max_.wanted(), text), text


def test_data_is_erased_wherever_it_is() -> None:
    data = {
        "n": 12025550142,
        "f": 2025550142.0,
        "flag": True,
        "raw": b"phone=2025550142",
        "list": ["x", ("202-555-0142", 7)],
        "+12025550142": {"jane.doe+x@example.com": 1},
        "2025550142": 2,
    }
    assert JANE.erase(data) == (
        {
            "n": MARK,
            "f": MARK,
            "flag": True,
            "raw": MARK.encode(),
            "list": ["x", (MARK, 7)],
            MARK: {MARK: 1},
            f"{MARK} 2": 2,
        },
        7,
    )
    clean = {"a": [1, "b"]}
    assert JANE.erase(clean)[0] is clean
    assert JANE.erase({"at": 2025550142}, numbers=False)[1] == 0


def test_what_is_no_person_is_refused() -> None:
    wrongs: list[dict[str, list[str]]] = [
        {"phones": ["2025550142"]},
        {"phones": ["+1"]},
        {"emails": ["jane"]},
        {"words": ["al"]},
        {"words": ["--"]},
        {},
    ]
    for wrong in wrongs:
        with pytest.raises(Misconfigured):
            Person(
                phones=wrong.get("phones", []),
                emails=wrong.get("emails", []),
                words=wrong.get("words", []),
            )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("José Núñez", "Dear JOSÉ NÚÑEZ,"),
        (
            "José Núñez",
            "Jose\u0301 Nu\u0301n\u0303ez",
        ),  # as files of a Mac and some phones write it
        ("Jose\u0301 Nu\u0301n\u0303ez", "José Núñez"),
        ("José Núñez", '{"name": "Jos\\u00e9 N\\u00fa\\u00f1ez"}'),  # as most programs write JSON
        ("José Núñez", "name=Jos%C3%A9+N%C3%BA%C3%B1ez"),
        ("José Núñez", "Jos&eacute; N&uacute;&#241;ez"),
        ("\u0130brahim Y\u0131lmaz", "\u0130brahim Y\u0131lmaz"),
        ("Jürgen Weiß", "JÜRGEN WEISS"),
        ("\u5c71\u7530 \uff80\uff9b\uff73", "\u5c71\u7530 \u30bf\u30ed\u30a6"),
        (
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627 \u0627\u062d\u0645\u062f\u06cc",
            "\u0639\u0644\u06cc\u0631\u0636\u0627 \u0627\u062d\u0645\u062f\u06cc",
        ),
        (
            "\u0418\u0432\u0430\u043d \u041f\u0435\u0442\u0440\u043e\u0432",
            '"\\u0418\\u0432\\u0430\\u043d \\u041f\\u0435\\u0442\\u0440\\u043e\\u0432"',
        ),
    ],
)
def test_a_name_is_found_however_its_letters_are_written(name: str, text: str) -> None:
    person = Person(words=[name])
    assert person.in_text(text)
    assert found_by(person.wanted(), text)


@pytest.mark.parametrize(
    "text",
    [
        "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0664\u0662",  # Arabic
        # Persian
        "\u06f0\u06f0\u06f1 \u06f2\u06f0\u06f2 \u06f5\u06f5\u06f5 \u06f0\u06f1\u06f4\u06f2",
        # wide, as Japanese keyboards write it
        "(\uff12\uff10\uff12)\uff15\uff15\uff15\u2212\uff10\uff11\uff14\uff12",
        "\u202d+1\u200e 202\u2060 555\u00ad0142\u202c",  # with the marks of an address book
        "\\u0661\\u0662\\u0660\\u0662\\u0665\\u0665\\u0665\\u0660\\u0661\\u0664\\u0662",
    ],
)
def test_a_number_is_found_in_the_digits_of_any_script(text: str) -> None:
    assert JANE.in_text(text)
    assert found_by(JANE.wanted(), text)
    assert found_by(query("(202) 555-0142") or "", text)
    assert found_by(
        (query("+\u06f1\u06f2\u06f0\u06f2\u06f5\u06f5\u06f5\u06f0\u06f1\u06f4\u06f2") or "").strip(
            "()"
        ),
        text,
    )


GAPS = st.sampled_from(["", " ", "-", ".", ") ", " - ", "\u00a0", "%20"])


@given(st.lists(GAPS, min_size=11, max_size=11), st.text(max_size=20), st.text(max_size=20))
def test_the_index_misses_nothing(gaps: list[str], before: str, after: str) -> None:
    number = "".join(digit + gap for digit, gap in zip("12025550142", gaps, strict=True))
    text = before + number + after
    if JANE.in_text(text):
        assert found_by(JANE.wanted(), text)


@pytest.mark.timeout(25)
@pytest.mark.parametrize("text", ["7" * 64_000, "x_" * 32_000, "a.b-" * 16_000])
def test_a_long_text_without_a_gap_is_read_once_through(text: str) -> None:
    """A picture as text, say: it took half a minute, in which its worker did nothing else."""
    assert not any(term.startswith("mail:") for term in lexemes(text))
    address = "ada@example.com"
    assert f"mail:{address}" in set(lexemes(f"{text} {address}"))
    assert Person(emails=[address], phones=["+12025550142"]).in_text(f"{text} {address}")


def test_no_term_is_longer_than_the_index_takes() -> None:
    """PostgreSQL takes 2,046 bytes of one."""
    terms = {*lexemes("é" * 5_000 + "@example.com"), *lexemes("a@" + "b." * 4_000 + "com")}
    assert max(len(term.encode()) for term in terms) < 2_000
    with pytest.raises(Misconfigured, match="no e-mail address"):
        Person(emails=["a" * 400 + "@example.com"])
    assert query("a" * 400 + "@example.com") == "'example' & 'com'"


def test_what_people_type() -> None:
    text = "Missed call from +1 (202) 555-0142: ConnectionError, mail jane@example.com"
    for typed in (
        "+12025550142",
        "2025550142",
        "001 202 555 0142",
        "+1202*",
        "+1202…",
        "connectionerror call",
        "Connec*",
        "jane@example.com",
        "jane@*",
        "call: +12025550142",
    ):
        asked = query(typed)
        assert asked is not None
        # Groups joined by "and" are taken apart here: each must find the text.
        for part in asked.split(" & "):
            assert found_by(part.strip("()"), text), typed
    assert query("+4420255501") is not None
    assert not found_by(query("+12025550143") or "", text)
    assert query("  ") is None
    assert query("…") is None
    assert query("o'neill") == "'o' & 'neill'"
