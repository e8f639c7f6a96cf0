"""Signatures become forms; mapped values become arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict
from zoneinfo import ZoneInfo

import pytest

from junctor.errors import BundleInvalid, Fault
from junctor.language.connector import Bundle, Connector, Field, ModuleDef, Request, Secret
from junctor.language.forms import bind, build, form_of, schema_of, secrets_of
from junctor.language.values import ERASE, IGNORE

shop = Connector(name="shop", label="Shop")


class Line(TypedDict):
    sku: Annotated[str, Field(label="Article")]
    count: Annotated[int, Field(label="Count")]


@shop.search("List stores")
def list_stores() -> Request:
    """Gives all stores."""
    return Request("GET", "/stores")


@shop.action("Place an order", effect="once")
def place_order(
    store: Annotated[str, Field(label="Store", options=list_stores, option_label="title")],
    lines: Annotated[list[Line], Field(label="Lines")],
    from_: Annotated[str | None, Field(label="From")] = None,
    note_text: Annotated[str, Field(label="Note", key="noteText", multiline=True)] = "",
    amount: Annotated[float, Field(label="Amount", minimum=0, maximum=99.5)] = 1.5,
    count: Annotated[int, Field(label="Count", advanced=True)] = 3,
    paid: Annotated[bool, Field(label="Paid")] = False,
    due: Annotated[datetime | None, Field(label="Due")] = None,
    speed: Annotated[Literal["slow", "FAST"], Field(label="Speed")] = "slow",
    level: Annotated[Literal[1, 2], Field(label="Level")] = 1,
    extra: Annotated[dict[str, Any], Field(label="Extra")] = {},  # noqa: B006  # a form's default
    file: Annotated[bytes, Field(label="File")] = b"",
    data_store: Annotated[int, Field(label="Store id", key="datastore", static=True)] = 0,
    anything: Annotated[Any, Field(label="Anything")] = None,
) -> Bundle:
    """Places an order.

    Once.
    """
    return dict(locals())


ORDER = shop.modules["placeOrder"]
LEAST = {"store": "s", "lines": []}


def bound(**mapper: Any) -> dict[str, Any]:
    return bind(ORDER, {**LEAST, **mapper}, {})


def made(function: Callable[..., Any]) -> ModuleDef:
    return ModuleDef(connector="x", name="x", label="X", kind="action", function=function)


class TestSchema:
    def test_the_whole_form(self) -> None:
        properties = {
            "store": {
                "title": "Store",
                "type": "string",
                "x-options": {"module": "shop:listStores", "value": "id", "label": "title"},
            },
            "lines": {
                "title": "Lines",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "sku": {"title": "Article", "type": "string"},
                        "count": {"title": "Count", "type": "integer"},
                    },
                    "required": ["count", "sku"],
                },
            },
            "from": {"title": "From", "type": "string"},
            "noteText": {"title": "Note", "type": "string", "x-multiline": True},
            "amount": {
                "title": "Amount",
                "type": "number",
                "minimum": 0,
                "maximum": 99.5,
                "default": 1.5,
            },
            "count": {"title": "Count", "type": "integer", "default": 3, "x-advanced": True},
            "paid": {"title": "Paid", "type": "boolean", "default": False},
            "due": {
                "title": "Due",
                "type": "string",
                "format": "date-time",
                "x-type": "date",
            },
            "speed": {
                "title": "Speed",
                "type": "string",
                "enum": ["slow", "FAST"],
                "default": "slow",
            },
            "level": {"title": "Level", "type": "integer", "enum": [1, 2], "default": 1},
            "extra": {"title": "Extra", "type": "object", "additionalProperties": True},
            "file": {
                "title": "File",
                "type": "string",
                "contentEncoding": "base64",
                "x-type": "buffer",
            },
            "datastore": {"title": "Store id", "type": "integer", "default": 0, "x-static": True},
            "anything": {"title": "Anything"},
        }
        assert schema_of(ORDER) == {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "title": "Place an order",
            "description": "Places an order.\n\nOnce.",
            "properties": properties,
            "required": ["store", "lines"],
        }

    def test_a_schema_of_its_own_keeps_label_and_help(self) -> None:
        module = ModuleDef(
            connector="x",
            name="x",
            label="X",
            kind="action",
            function=lambda: None,
            help="Helps.",
            schema=lambda: {"properties": {"a": {"type": "string"}}},
        )
        schema = schema_of(module)
        assert (schema["title"], schema["description"], schema["type"]) == ("X", "Helps.", "object")
        assert schema["properties"] == {"a": {"type": "string"}}

    def test_an_author_is_told_what_is_missing(self) -> None:
        def untyped(a) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # the mistake
            del a

        def unlabelled(a: str) -> None:
            del a

        def strange(a: Annotated[complex, Field(label="A")]) -> None:
            del a

        with pytest.raises(Fault, match="a has no type"):
            schema_of(made(untyped))
        with pytest.raises(Fault, match=r"a has no Field\(label=…\)"):
            schema_of(made(unlabelled))
        with pytest.raises(Fault, match="can't show the type"):
            schema_of(made(strange))

    def test_options_must_be_a_module(self) -> None:
        def ask(a: Annotated[str, Field(label="A", options=lambda: None)]) -> None:
            del a

        with pytest.raises(Fault, match="is no module"):
            schema_of(made(ask))


class TestBind:
    def test_defaults_are_filled_in(self) -> None:
        given = bound()
        assert given["amount"] == 1.5
        assert given["from_"] is None

    def test_values_become_their_types(self) -> None:
        given = bound(
            store=12,
            lines=[{"sku": 1, "count": "2"}],
            amount="2.5",
            count="7",
            paid="false",
            due="2026-01-02T03:04:05Z",
            level="2",
            file="a",
        )
        assert given["store"] == "12"
        assert given["lines"] == [{"sku": "1", "count": 2}]
        assert (given["amount"], given["count"], given["paid"]) == (2.5, 7, False)
        assert given["due"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert (given["level"], given["file"]) == (2, b"a")

    def test_a_single_item_becomes_an_array(self) -> None:
        assert bound(lines={"sku": "a", "count": 1})["lines"] == [{"sku": "a", "count": 1}]

    def test_dates_without_zone_are_in_the_given_one(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        given = bind(ORDER, {**LEAST, "due": "2026-01-02 03:04"}, {}, zone=zone)
        assert given["due"] == datetime(2026, 1, 2, 2, 4, tzinfo=UTC)

    def test_names_are_mapped_back(self) -> None:
        given = bound(**{"from": "me", "noteText": "hi"})
        assert (given["from_"], given["note_text"]) == ("me", "hi")

    def test_static_fields_come_from_the_parameters(self) -> None:
        assert bind(ORDER, {**LEAST, "datastore": 1}, {"datastore": "2"})["data_store"] == 2

    def test_a_field_may_lie_on_the_other_side(self) -> None:
        assert bind(ORDER, {**LEAST, "datastore": 1}, {})["data_store"] == 1
        assert bind(ORDER, LEAST, {"count": "9"})["count"] == 9

    def test_unknown_keys_are_left_alone(self) -> None:
        assert "other" not in bound(other=1)

    @pytest.mark.parametrize("empty", [None, "", IGNORE])
    def test_empty_means_the_default(self, empty: Any) -> None:
        assert bound(count=empty)["count"] == 3

    def test_erase_is_null_where_null_is_allowed(self) -> None:
        assert bound(**{"from": ERASE})["from_"] is None
        assert bound(count=ERASE)["count"] == 3

    def test_defaults_are_not_shared(self) -> None:
        bound()["extra"]["a"] = 1
        assert bound()["extra"] == {}

    def test_choices_ignore_case(self) -> None:
        assert bound(speed="fast")["speed"] == "FAST"

    @pytest.mark.parametrize(
        ("mapper", "field_name", "reason"),
        [
            ({"store": None}, "store", r"a value is required; map or type one \[Store\]"),
            ({"store": ""}, "store", "a value is required"),
            ({"count": "x"}, "count", "text 'x' is not a number"),
            ({"count": 1.5}, "count", r"number 1\.5 is not a whole number"),
            ({"amount": -1}, "amount", r"number -1 is too small; the least is 0 \[Amount\]"),
            ({"amount": 100}, "amount", r"too large; the most is 99\.5"),
            ({"speed": "warp"}, "speed", "text 'warp' is not one of: slow, FAST"),
            ({"due": "soon"}, "due", "text 'soon' is not a date"),
            ({"lines": [{"sku": "a"}]}, "lines", "count is missing in"),
            ({"lines": "x"}, "lines", "text 'x' is not a collection"),
            ({"extra": "x"}, "extra", "text 'x' is not a collection"),
        ],
    )
    def test_refusals_name_field_value_and_mend(
        self, mapper: dict[str, Any], field_name: str, reason: str
    ) -> None:
        with pytest.raises(BundleInvalid, match=reason) as caught:
            bound(**mapper)
        assert caught.value.params["field"] == field_name

    def test_a_mapper_that_is_no_collection_is_empty(self) -> None:
        with pytest.raises(BundleInvalid, match="a value is required"):
            bind(ORDER, None, {})


class TestBuild:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Account:
        """An account of the shop."""

        key: Annotated[Secret, Field(label="Key")]
        region: Annotated[str, Field(label="Region")] = "eu"
        tags: Annotated[list[str], Field(label="Tags")] = field(default_factory=list)

    def test_the_form_of_an_account(self) -> None:
        form = form_of(self.Account)
        assert form["description"] == "An account of the shop."
        assert form["properties"]["key"] == {
            "title": "Key",
            "type": "string",
            "format": "password",
            "writeOnly": True,
            "x-secret": True,
        }
        assert form["required"] == ["key"]
        assert secrets_of(self.Account) == {"key"}

    def test_an_account_hides_its_secret(self) -> None:
        account = build(self.Account, {"key": "s3cret", "region": None})
        assert (account.key, account.region) == ("s3cret", "eu")
        assert "s3cret" not in repr(account)

    def test_a_refused_secret_is_not_shown(self) -> None:
        with pytest.raises(BundleInvalid) as caught:
            build(self.Account, {"key": b"\xffs3cret"})
        assert "s3cret" not in str(caught.value)
