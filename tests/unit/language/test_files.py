"""What stands for a file in a bundle, and what does not."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

import msgspec
import pytest

from junctor.errors import DataError
from junctor.language import forms
from junctor.language.coercers import coercer
from junctor.language.connector import Connector, Field, Request, Response
from junctor.language.files import Content, File, file_of
from junctor.language.values import to_buffer, to_text

FILE = File(b"\x00\xff" * 8, 20_000_000)


def test_a_file_survives_a_bundle_and_a_journal() -> None:
    assert file_of(FILE.as_value()) == FILE
    recorded = msgspec.msgpack.decode(msgspec.msgpack.encode(FILE.as_value()))
    assert file_of(recorded) == FILE
    answer = Response(200, {}, b"", "http://v.test/", (), FILE)
    assert (
        Response.of_record(msgspec.msgpack.decode(msgspec.msgpack.encode(answer.as_record())))
        == answer
    )
    assert answer.size == 20_000_000
    assert answer.content() == FILE.as_value()


@pytest.mark.parametrize(
    "value",
    [
        {"keptFile": "AP8A/wD/AP8A/wD/AP8A/w==", "size": 20_000_000},
        {"keptFile": ["\x00\xff"] * 8, "size": 20_000_000},
        {"keptFile": b"short", "size": 1},
        {"keptFile": b"x" * 16, "size": "1"},
        {"keptFile": b"x" * 16, "size": True},
        {"keptFile": b"x" * 16, "size": -1},
        {"keptFile": b"x" * 16, "size": 1, "more": 1},
        {"keptFile": b"x" * 16},
        b"x" * 16,
        None,
    ],
)
def test_what_a_vendor_can_spell_is_no_file(value: Any) -> None:
    assert file_of(value) is None


def test_a_field_for_content_takes_a_file_a_buffer_or_a_text() -> None:
    convert = coercer(Content)
    assert convert(FILE.as_value(), UTC) == FILE
    assert convert(FILE, UTC) is FILE
    assert convert("ä", UTC) == "ä".encode()
    assert convert(b"\x00", UTC) == b"\x00"
    with pytest.raises(DataError, match="can't become a buffer"):
        convert({"keptFile": "forged", "size": 1}, UTC)


def test_a_field_for_content_looks_like_a_buffer() -> None:
    vendor = Connector(name="vendor", label="Vendor")

    @vendor.action("Upload", effect="once")
    def upload(data: Annotated[Content, Field(label="Data")]) -> Request:
        return Request("PUT", "/f", body=data)

    shown = forms.schema_of(vendor.modules["upload"])["properties"]["data"]
    assert shown == {
        "title": "Data",
        "type": "string",
        "contentEncoding": "base64",
        "x-type": "buffer",
    }
    assert upload(FILE) == Request("PUT", "/f", body=FILE)


@pytest.mark.parametrize(("convert", "what"), [(to_text, "text"), (to_buffer, "a buffer")])
def test_a_file_is_not_loaded_into_memory_by_a_mapping(convert: Any, what: str) -> None:
    with pytest.raises(DataError, match=f"20,000,000 bytes can't become {what}"):
        convert(FILE.as_value())
