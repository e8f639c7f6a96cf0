"""What a user may type as the address of "Make an API call"."""

from __future__ import annotations

import pytest

from junctor.errors import BundleInvalid
from junctor.language.calls import relative

BASE = "https://api.toky.co/v1"


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("/contacts", "/contacts"),
        ("contacts?limit=3", "/contacts?limit=3"),
        ("/v1/contacts", "/contacts"),
        ("/v1", "/"),
        ("/v10/contacts", "/v10/contacts"),
        ("/a b", "/a%20b"),
        (" https://api.toky.co/v1/contacts?a=1 ", "https://api.toky.co/v1/contacts?a=1"),
        ("http://127.0.0.1:9/x y", "http://127.0.0.1:9/x%20y"),
    ],
)
def test_a_path_is_below_the_base_and_an_address_as_it_is(url: str, made: str) -> None:
    assert relative(url, base=BASE) == made


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("//evil.test/x", "is no path and no address"),
        ("ftp://api.toky.co/x", "is no path and no address"),
        ("file:///etc/passwd", "is no path and no address"),
        ("https:///x", "is no path and no address"),
        ("/a/../b", "may not hold"),
        ("/a/%2e%2e/b", "may not hold"),
        ("/a\\..\\b", "may not hold"),
        ("https://api.toky.co/v1/../v2", "may not hold"),
    ],
)
def test_what_could_lead_elsewhere_is_refused(url: str, why: str) -> None:
    with pytest.raises(BundleInvalid, match=why):
        relative(url, base=BASE)
