"""OAuth 2.0 as values: the vendor's page, requests for tokens, and what answers mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from junctor.connectors.highlevel.account import App, highlevel
from junctor.errors import JunctorError, Misconfigured, RateLimited, Reconnect, VendorUnavailable
from junctor.language.connector import Request, Response, Secret, Token
from junctor.language.oauth import (
    Client,
    OAuth,
    authorize_url,
    challenge_of,
    exchange,
    granted,
    renewal,
)

BACK = "https://junctor.test/oauth/callback"


@dataclass(frozen=True)
class Form:
    id: str
    secret: Secret


FORM = Form("our app", Secret("s&cret"))
PLAIN = OAuth(
    authorize=lambda _form, _base: "https://vendor.test/allow?tenant=7&state=theirs#x",
    token_url="/token",
    client=lambda form: Client(id=form.id, secret=form.secret),
    put=lambda form, _token: form,
    scopes=lambda _form: ("read", "see"),
    parameters={"prompt": "consent"},
)


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_page_gets_what_it_must_know_and_no_secret() -> None:
    url = authorize_url(
        PLAIN, FORM, "https://api.test", redirect_uri=BACK, state="st", verifier="v" * 43
    )
    parts = urlsplit(url)
    rows = parse_qsl(parts.query)
    assert (parts.netloc, parts.path, parts.fragment) == ("vendor.test", "/allow", "")
    assert len(rows) == len(dict(rows))  # a state of the page's own address is ours now
    assert dict(rows) == {
        "tenant": "7",
        "response_type": "code",
        "client_id": "our app",
        "redirect_uri": BACK,
        "scope": "read see",
        "prompt": "consent",
        "state": "st",
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
    }
    assert "s&cret" not in url
    assert "v" * 43 not in url


def test_without_pkce_nothing_of_it_is_sent() -> None:
    oauth = replace(PLAIN, pkce=False)
    url = authorize_url(oauth, FORM, "", redirect_uri=BACK, state="st", verifier="v")
    assert "code_challenge" not in url
    sent = exchange(oauth, FORM, code="c", redirect_uri=BACK, verifier="v").form
    assert isinstance(sent, dict)
    assert "code_verifier" not in sent


def test_a_code_is_exchanged_and_cannot_bring_fields_of_its_own() -> None:
    request = exchange(PLAIN, FORM, code="c&grant_type=password", redirect_uri=BACK, verifier="ver")
    assert (request.method, request.url, request.redirects) == ("POST", "/token", 0)
    assert request.form == {
        "grant_type": "authorization_code",
        "code": "c&grant_type=password",  # one value; the transport encodes it
        "redirect_uri": BACK,
        "code_verifier": "ver",
        "client_id": "our app",
        "client_secret": "s&cret",
    }


def test_client_credentials_may_go_in_the_header() -> None:
    request = renewal(replace(PLAIN, client_in="header"), FORM, Secret("old"))
    assert request.form == {"grant_type": "refresh_token", "refresh_token": "old"}
    # base64 of "our+app:s%26cret", as RFC 6749 §2.3.1 has them encoded first
    assert request.headers["Authorization"] == "Basic b3VyK2FwcDpzJTI2Y3JldA=="


def answer(status: int = 200, **body: Any) -> Response:
    return Response(status, {}, msgspec.json.encode(body))


def test_a_good_answer_is_a_token_with_facts_and_no_secret_among_them() -> None:
    token = granted(
        answer(access_token="a", refresh_token="r", expires_in="86399", locationId="loc", n=1)
    )
    assert (token.value, token.refresh, token.expires_in) == ("a", "r", 86399)
    assert token.facts == {"locationId": "loc"}
    assert "'a'" not in repr(token)


@pytest.mark.parametrize(
    ("response", "error", "said"),
    [
        (answer(400, error="invalid_grant", error_description="gone"), Reconnect, "gone"),
        (answer(401, error="invalid_client"), Reconnect, "invalid_client"),
        (answer(200, error="bad_verification_code"), Reconnect, "bad_verification_code"),
        (Response(401, {}, b""), Reconnect, "no reason"),
        (answer(200, access_token=""), VendorUnavailable, "no token"),
        (answer(200, access_token=7), VendorUnavailable, "no token"),
        (Response(200, {}, b"<html>"), VendorUnavailable, "no token"),
        (Response(403, {}, b"[]"), VendorUnavailable, "no token"),
        (answer(429), RateLimited, "429"),
        (answer(503, message="later"), VendorUnavailable, "later"),
        (Response(302, {"location": "https://evil.test/"}, b""), Misconfigured, "elsewhere"),
    ],
)
def test_a_bad_answer_says_what_it_is(
    response: Response, error: type[JunctorError], said: str
) -> None:
    with pytest.raises(error, match=said):
        granted(response)


# HighLevel's.

OAUTH = highlevel.connections["oauth"].oauth
assert OAUTH is not None
APP = App(client_id="id-1", client_secret=Secret("secret"))
BASE = "https://services.leadconnectorhq.com"


def highlevel_page(app: App, base: str = BASE) -> Any:
    assert OAUTH is not None
    return urlsplit(
        authorize_url(OAUTH, app, base, redirect_uri=BACK, state="s", verifier="v" * 43)
    )


def test_highlevel_asks_only_to_look_unless_told_otherwise() -> None:
    scopes = dict(parse_qsl(highlevel_page(APP).query))["scope"].split()
    assert "contacts.readonly" in scopes
    assert all(scope.endswith(".readonly") for scope in scopes)


def test_an_agency_needs_to_fetch_tokens_of_its_locations() -> None:
    agency = replace(APP, access="Company", scopes="contacts.write contacts.write")
    scopes = dict(parse_qsl(highlevel_page(agency).query))["scope"].split()
    assert scopes == ["contacts.write", "companies.readonly", "oauth.readonly", "oauth.write"]


@pytest.mark.parametrize(
    ("app", "base", "host"),
    [
        (APP, BASE, "marketplace.gohighlevel.com"),
        (replace(APP, consent_url="https://white.test/v2/oauth/x"), BASE, "white.test"),
        (APP, "http://127.0.0.1:8711", "127.0.0.1:8711"),
    ],
)
def test_where_the_page_is(app: App, base: str, host: str) -> None:
    assert highlevel_page(app, base).netloc == host


def test_a_location_token_is_asked_for_with_the_agencys() -> None:
    assert OAUTH is not None
    assert OAUTH.derive is not None
    facts = {"userType": "Company", "companyId": "c1"}
    agency = Token(value=Secret("agency-token"), facts=facts)
    app = replace(APP, access="Company", location_id="l1")
    request = OAUTH.derive(app, agency)
    assert request is not None
    assert (request.method, request.url) == ("POST", "/oauth/locationToken")
    assert request.form == {"companyId": "c1", "locationId": "l1"}
    assert request.headers["Authorization"] == "Bearer agency-token"
    assert OAUTH.derive(replace(app, location_id=""), agency) is None
    location = Token(value=Secret("t"), facts={"userType": "Location", "locationId": "l1"})
    assert OAUTH.derive(APP, location) is None


def test_another_location_than_the_connection_names_is_refused() -> None:
    assert OAUTH is not None
    token = Token(value=Secret("t"), facts={"userType": "Location", "locationId": "l2"})
    with pytest.raises(Misconfigured, match="l2"):
        OAUTH.put(replace(APP, location_id="l1"), token)
    assert OAUTH.put(APP, token).location_id == "l2"
    assert OAUTH.account(token) == ("location:l2", "location l2")


def test_an_agency_without_a_location_is_told_so_and_is_tested_as_one() -> None:
    assert OAUTH is not None
    definition = highlevel.connections["oauth"]
    token = Token(value=Secret("t"), facts={"userType": "Company", "companyId": "c1"})
    account = OAUTH.put(replace(APP, access="Company"), token)
    assert not isinstance(definition.test, Request)
    assert definition.test is not None
    test = definition.test(account)
    assert test is not None
    assert test.url == "/companies/c1"
    body = {"locationId": "{location}"}
    with pytest.raises(Misconfigured, match="Location ID"):
        definition.sign(Request("POST", BASE + "/contacts/", json=body), account)
