"""Phone numbers: by the connection's country, and refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from junctor.connectors.crisp import account as crisp
from junctor.connectors.toky import account as toky
from junctor.connectors.toky.recovery import same_number
from junctor.errors import BundleInvalid
from junctor.language.connector import Request, Secret
from junctor.language.phones import in_country

TOKY = toky.ApiKey(api_key=Secret("k"))
CRISP = crisp.Token(identifier="i", key=Secret("k"), website_id="w")


@pytest.mark.parametrize(
    ("text", "country", "national", "number"),
    [
        ("030 123456", "de", False, "+4930123456"),
        ("0049 30 123456", "US", False, "+4930123456"),
        ("+49 (30) 123456", "", False, "+4930123456"),
        ("030 123456", "", True, "030 123456"),
        ("15551234567", "", True, "15551234567"),
        ("15551234567", "US", True, "+15551234567"),
        ("", "US", False, ""),
        (None, "US", False, None),
    ],
)
def test_a_number_is_of_its_country(text: Any, country: str, national: bool, number: Any) -> None:
    assert in_country(text, country, field="p", senders=False, national=national) == number


@pytest.mark.parametrize(
    "text", ["call me", "12", "+1", "sip:a@b", "1234567890123456", "+49 x30 1"]
)
def test_what_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        in_country(text, "US", field="p", senders=False, national=True)
    assert caught.value.params["field"] == "p"
    assert repr(text) in str(caught.value)


def test_toky_numbers_are_of_the_connections_country() -> None:
    german = replace(TOKY, country="DE")
    body = {"phone": "030 123456", "email": "a@b.c"}
    request = Request("POST", toky.BASE + "/contacts", json=body)
    assert toky.sign(request, german).json == {**body, "phone": "+4930123456"}
    assert toky.sign(request, TOKY).json == body
    for typed in ("%2B4930123456", "030123456"):
        asked = Request("GET", f"{toky.BASE}/contacts/{typed}")
        assert toky.sign(asked, german).url == f"{toky.BASE}/contacts/%2B4930123456"
    message = Request(
        "POST", toky.BASE + "/sms/send", json={"from": "ACME", "to": "+1", "text": ""}
    )
    with pytest.raises(BundleInvalid, match="'to'"):
        toky.sign(message, TOKY)


def test_crisp_numbers_of_people_and_companies() -> None:
    german = replace(CRISP, country="DE")
    body = {
        "email": "a@b.c",
        "person": {"phone": "030 123456", "nickname": "A"},
        "company": {"phones": ["030 1234567"]},
    }
    request = Request("POST", crisp.BASE + "/people", json=body)
    assert crisp.sign(request, german).json == {
        "email": "a@b.c",
        "person": {"phone": "+4930123456", "nickname": "A"},
        "company": {"phones": ["+49301234567"]},
    }
    assert crisp.sign(request, CRISP).json == body
    with pytest.raises(BundleInvalid, match="'company_phones': 'nobody'"):
        crisp.sign(replace(request, json={"company": {"phones": ["nobody"]}}), german)


@pytest.mark.parametrize(
    ("listed", "typed", "same"),
    [
        ("+12025550142", "+1 (202) 555-0142", True),
        ("+12025550142", "2025550142", True),
        ("+4930123456", "030 123456", True),
        ("+12025550142", "+12025550143", False),
        ("+12025550142", "12", False),
        ("12", "12", True),
    ],
)
def test_a_probe_knows_a_number_without_its_country_code(
    listed: str, typed: str, same: bool
) -> None:
    assert same_number(listed, typed) is same
