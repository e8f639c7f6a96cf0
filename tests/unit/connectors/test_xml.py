"""XML to bundles and back."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.xml import create_xml, parse_xml, xml
from junctor.errors import BundleInvalid, DataError
from junctor.language.forms import schema_of
from junctor.language.values import IGNORE


def parsed(text: str | bytes, **parameters: Any) -> Any:
    return parse_xml(parameters, {"xml": text})


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("<a>x</a>", {"a": "x"}),
        ("<a/>", {"a": ""}),
        ("<a> \n </a>", {"a": ""}),
        ("<a><b>1</b><b>x</b></a>", {"a": {"b": [1, "x"]}}),
        ('<a p="1"><b q="2">t</b></a>', {"a": {"_attributes": {"p": "1"}, "b": [
            {"_attributes": {"q": "2"}, "_value": "t"}]}}),
        ("<s:r xmlns:s='u'><s:x/></s:r>", {"s:r": {"_attributes": {"xmlns:s": "u"}, "s:x": [""]}}),
        ("<a>t <b/> u</a>", {"a": {"b": [""], "_value": "t  u"}}),
        ("<a><![CDATA[<b>]]>&amp;&#65;</a>", {"a": "<b>&A"}),
        ("\ufeff  <?xml version='1.0' encoding='UTF-16'?><a>\u00e4</a>", {"a": "\u00e4"}),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>\u00e4</a>".encode("latin-1"),
         {"a": "\u00e4"}),
        ("<!DOCTYPE a><a>x</a>", {"a": "x"}),
    ],
)  # fmt: skip
def test_parse(text: str | bytes, tree: Any) -> None:
    assert parsed(text) == tree


@pytest.mark.parametrize(
    ("text", "value"), [("1.50", 1.5), ("007", "007"), ("+1", "+1"), ("1e5", "1e5"), ("-2", -2)]
)
def test_what_looks_like_a_number_may_become_one(text: str, value: Any) -> None:
    assert parsed(f"<a>{text}</a>") == {"a": value}
    assert parsed(f"<a>{text}</a>", preserveNumbersAsText=True) == {"a": text}


def test_a_structure_says_the_types() -> None:
    spec = [
        {"name": "r", "type": "collection", "spec": [
            {"name": "id", "type": "array", "spec": {"type": "text"}},
            {"name": "n", "type": "number"},
            {"name": "p", "type": "array", "spec": {"type": "collection", "spec": [
                {"name": "_value", "type": "text"}]}},
        ]},
    ]  # fmt: skip
    text = '<r><id k="v">007</id><n>5</n><p>plain</p><p/><other>1</other></r>'
    assert parsed(text, __structure__={"spec": spec, "strict": False}) == {
        "r": {"id": ["007"], "n": 5, "p": [{"_value": "plain"}, {}], "other": ["1"]}
    }


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "take its DOCTYPE away"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "DOCTYPE"),
        ("<a>" * 300, "deeper than 200"),
        ("<a>" + "<b/>" * 500_001 + "</a>", "more than 500,000 elements"),
        (b"<a>" + b"x" * 20_000_001 + b"</a>", "the most is 20,000,000"),
        ("<a><b></a>", "line 1, column"),
        ("no xml", "is not valid XML"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "XML was refused"),
    ],
    ids=["bomb", "file", "deep", "many", "large", "crossed", "text", "encoding"],
)
def test_what_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        parsed(text)
    assert len(caught.value.message) < 400


def created(mapper: dict[str, Any], **parameters: Any) -> str:
    return str(create_xml({"header": False, **parameters}, mapper)["xml"])


def test_create() -> None:
    tree = {"a": {"_attributes": {"p": '"<'}, "_value": "t&", "b": [1, {"c": None}], "d": IGNORE}}
    assert created(tree) == "<a p='\"&lt;'>t&amp;<b>1</b><b><c/></b></a>"
    assert create_xml({}, {"a": True}) == {
        "xml": '<?xml version="1.0" encoding="UTF-8"?><a>true</a>'
    }


def test_what_was_parsed_is_created_again() -> None:
    text = '<s:a xmlns:s="u" p="1"><b>x</b><b q="2">y</b><c/></s:a>'
    assert created(parsed(text)) == text


@pytest.mark.parametrize(("space", "step"), [("2", "  "), ("4", "    "), ("tab", "\t")])
def test_create_indented(space: str, step: str) -> None:
    assert created({"a": {"b": ["x", {}]}}, space=space) == f"<a>\n{step}<b>x</b>\n{step}<b/>\n</a>"


def test_create_by_structure() -> None:
    inner = [{"name": "x", "type": "text", "required": True}, {"name": "y", "type": "number"}]
    spec = [{"name": "a", "type": "collection", "spec": inner}]
    structure = {"spec": spec, "strict": True}
    assert created({"a": {"y": "2", "x": 1}}, __structure__=structure) == "<a><x>1</x><y>2</y></a>"
    with pytest.raises(BundleInvalid, match=r"'a\.x'"):
        created({"a": {"y": 1}}, __structure__=structure)


@pytest.mark.parametrize(
    ("mapper", "said"),
    [
        ({}, "one root element"),
        ({"a": 1, "b": 2}, "one root element"),
        ({"a": [1, 2]}, "occurs 2 times"),
        ({"a b": 1}, "can't be the name"),
        ({"a": {"_attributes": {"1": 1}}}, "can't be the name"),
        ({"a": {"b": ["x", "\x00"]}}, r"'a\.b\[1\]'.*control character"),
        ({"a": b"\xff"}, "not UTF-8"),
    ],
)
def test_what_is_not_created(mapper: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleInvalid, match=said):
        created(mapper)


def test_creating_is_bounded_in_depth() -> None:
    value: Any = 1
    for _ in range(300):
        value = {"a": value}
    with pytest.raises(BundleInvalid, match="deeper than 200"):
        created(value)


def test_the_forms_have_labels() -> None:
    for module in xml.modules.values():
        assert all(field.get("title") for field in schema_of(module)["properties"].values())
