"""Pick-lists of rows and collections, and those that depend on other fields."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest

from junctor.errors import Fault, Misconfigured, NotFound
from junctor.language.connector import Connector, Field, ModuleDef, Request
from junctor.language.forms import schema_of
from junctor.language.picklists import arguments_of, find, pick_lists
from junctor.language.signatures import Argument, Described

depot = Connector(name="depot", label="Depot")


@depot.search("List houses")
def houses() -> Request:
    """Gives all houses."""
    return Request("GET", "/houses")


House = Annotated[str, Field(label="House", options=houses)]


@depot.search("List shelves", limit_field="limit")
def shelves(
    house: House,
    size: Annotated[str, Field(label="Size")] = "",
    limit: Annotated[int, Field(label="Limit")] = 10,
) -> Request:
    """Gives the shelves of a house."""
    return Request("GET", "/shelves", query={"house": house, "size": size, "limit": limit})


@depot.search("List things")
def things(
    on: Annotated[str, Field(label="On shelf", options=shelves)],
    since: Annotated[str, Field(label="Since")],
    house: House = "",
) -> Request:
    """Gives what is on a shelf."""
    return Request("GET", "/things", query={"on": on, "since": since, "house": house})


class Tag(TypedDict, total=False):
    text: Annotated[str, Field(label="Text", help="Short.", options=houses)]


class Line(TypedDict, total=False):
    shelf: Annotated[str, Field(label="Shelf", options=shelves)]
    thing: Annotated[
        str,
        Field(
            label="Thing",
            options=things,
            options_from={"on": "shelf"},
            options_with={"since": "{{now}}"},
        ),
    ]
    tags: Annotated[list[Tag], Field(label="Tags")]


@depot.action("Move", effect="once")
def move(
    lines: Annotated[list[Line], Field(label="Lines")],
    to: Annotated[Line, Field(label="To")],
    house: House = "",
    size: Annotated[str, Field(label="Size of the box")] = "",
    limit: Annotated[int, Field(label="Limit")] = 1,
    helpers: Annotated[list[str], Field(label="Helpers", options=houses)] = [],  # noqa: B006  # a form's default
    odd: Annotated[str, Field(label="Odd", key="a.b[0]", options=houses)] = "",
) -> Request:
    """Moves things between shelves."""
    del lines, to, house, size, limit, helpers, odd
    return Request("POST", "/move")


FORM = schema_of(depot.modules["move"])


def test_a_form_says_what_its_lists_depend_on() -> None:
    found = dict(pick_lists(FORM))
    assert set(found) == {
        *(f"{place}.{name}" for place in ("lines[]", "to") for name in ("shelf", "thing")),
        *("lines[].tags[].text", "to.tags[].text", "house", "helpers", "a.b[0]"),
    }
    plain = {"module": "depot:houses", "value": "id", "label": "name"}
    assert found["house"] == plain
    # The box's size is not the shelves': only what is needed, or picked alike, is the same.
    assert found["lines[].shelf"] == {
        "module": "depot:shelves",
        "value": "id",
        "label": "name",
        "from": {"house": "house"},
        "needs": ["house"],
    }
    assert found["to.thing"] == {
        "module": "depot:things",
        "value": "id",
        "label": "name",
        "from": {"on": "shelf", "house": "house"},
        "needs": ["shelf"],
        "with": {"since": "{{now}}"},
    }
    row = FORM["properties"]["lines"]["items"]["properties"]["tags"]["items"]["properties"]["text"]
    assert (row["title"], row["description"]) == ("Text", "Short.")


VALUES: dict[str, Any] = {
    "house": "h0",
    "lines": [{"shelf": "s0"}, {"shelf": "s1", "house": "h1"}, "mapped"],
    "to": {"shelf": "{{1.shelf}}"},
}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("house", {}),
        ("helpers", {}),
        ("helpers[]", {}),
        ("helpers[3]", {}),
        ("a.b[0]", {}),
        ("lines[].shelf", {"house": "h0"}),
        ("lines[0].shelf", {"house": "h0"}),
        ("lines[1].shelf", {"house": "h1"}),
        ("lines[9].shelf", {"house": "h0"}),
        ("lines[2].shelf", {"house": "h0"}),
        ("to.shelf", {"house": "h0"}),
        ("lines[1].thing", {"on": "s1", "house": "h1", "since": "{{now}}"}),
        ("lines[1].tags[0].text", {}),
    ],
)
def test_a_list_is_asked_with_what_stands_nearest(path: str, asked: dict[str, Any]) -> None:
    assert arguments_of(find(FORM, path, of="it"), VALUES, field=path) == asked


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("lines[].shelf", {}, "'house', which must be chosen first"),
        ("lines[].thing", VALUES, "'shelf', which must be chosen first"),
        ("to.thing", VALUES, "'shelf', which is mapped"),
    ],
)
def test_what_must_be_chosen_first_is_named(path: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        arguments_of(find(FORM, path, of="it"), values, field=path)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("nothing", "lines, to, house"),
        ("lines[].nothing", "shelf, thing, tags"),
        ("house.x", "none"),
        ("house[0]", "none"),
        ("lines", ""),
    ],
)
def test_a_path_that_leads_nowhere_says_what_there_is(path: str, known: str) -> None:
    if not known:
        assert "x-options" not in find(FORM, path, of="it").schema
        return
    with pytest.raises(NotFound, match=f"it has no field.*It has: {known}"):
        find(FORM, path, of="it")


def test_choices_with_a_text_beside_them_keep_their_fields() -> None:
    form = {"properties": {"who": {"anyOf": [{"type": "string"}, FORM]}}}
    assert find(form, "who.house", of="it").schema["x-options"]["module"] == "depot:houses"
    assert "who.lines[].shelf" in dict(pick_lists(form))


@pytest.mark.parametrize(
    "field",
    [
        Field(label="L", options=shelves, options_from={"nothing": "x"}),
        Field(label="L", options=shelves, options_from={"house": "nothing"}),
        Field(label="L", options=shelves, options_with={"nothing": 1}),
    ],
)
def test_a_list_that_names_fields_there_are_not_is_a_fault(field: Field) -> None:
    rows = [Argument("x", Annotated[str, field])]
    broken = ModuleDef(
        connector="depot",
        name="broken",
        label="Broken",
        kind="action",
        function=Described(lambda **given: given, lambda: rows, name="broken", doc="Breaks."),
    )
    with pytest.raises(Fault, match="nothing"):
        schema_of(broken)
