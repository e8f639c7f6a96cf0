"""The Crisp account: a token keypair of one of three tiers, for a website."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote, urlsplit

from junctor.connectors.crisp.assumptions import read
from junctor.connectors.crisp.budgets import BUDGETS
from junctor.errors import DataError, JunctorError, RateLimited, Reconnect
from junctor.language.calls import retry_after
from junctor.language.connector import (
    Connection,
    Connector,
    Field,
    Request,
    Response,
    Secret,
    path,
)
from junctor.language.phones import in_country

__all__ = ["BASE", "VERIFY", "WEBSITE", "WEBSITES", "below", "crisp", "said"]

BASE = "https://api.crisp.chat/v1"

WEBSITE = "{website}"
"""A segment of an address: the connection's website, put in when the request is signed. A mapped
value can't be taken for it, since `path` quotes braces."""
WEBSITES = "/{websites}/"
"""What, with the number of a page after it, stands for the list of websites of the tier."""
VERIFY = "{verify}"
"""A key of the body of a deletion, whose form the connection's corrections decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A Crisp token keypair and the website it is used for.

    A *website* token is made in the workspace's settings (Advanced, API Token); a *plugin* token
    belongs to a plugin of the Marketplace that is installed on the website; a *user* token acts as
    a person and is the only one that may create and delete websites.
    """

    identifier: Annotated[str, Field(label="Identifier", help="The first half of the keypair.")]
    key: Annotated[Secret, Field(label="Key", help="The second half of the keypair.")]
    website_id: Annotated[
        str,
        Field(
            label="Website ID",
            help="In Crisp under Settings, Website Settings, your website, Setup instructions.",
            example="8c842203-7ed8-4e29-a608-7cf78a7d2fcc",
        ),
    ]
    tier: Annotated[
        Literal["website", "plugin", "user"],
        Field(label="Tier", help="Which kind of token it is."),
    ] = "website"
    country: Annotated[
        str,
        Field(
            label="Country",
            help="Two letters, such as US: whose numbers are meant where one has no country code. "
            "Empty: such numbers go to Crisp as they are typed.",
            example="US",
            advanced=True,
        ),
    ] = ""
    corrections: Annotated[
        str,
        Field(
            label="Corrections",
            help="What Crisp does not publish and differs for this account, one a line; see the "
            "page about this connector.",
            multiline=True,
            advanced=True,
        ),
    ] = ""


def sign(request: Request, account: Token) -> Request:
    """Adds token and tier (docs.crisp.chat, *REST API authentication*), and the website."""
    facts = read(account.corrections)
    url = request.url
    head, found, page = url.partition(WEBSITES)
    if found:
        url = head + facts[f"websites.{account.tier}"].replace("{page}", page)
    url = _with_website(url, quote(account.website_id.strip(), safe=""))
    body = request.json
    if isinstance(body, dict) and VERIFY in body:
        as_text = facts["delete_website"] == "text"
        body = {"verify": body[VERIFY]["secret"] if as_text else body[VERIFY]}
    if isinstance(body, dict):
        body = _dialable(body, account.country)
    pair = f"{account.identifier.strip()}:{account.key.strip()}"
    headers = {
        **request.headers,
        "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        facts["tier_header"]: account.tier,
    }
    return replace(request, url=url, headers=headers, json=body)


def _dialable(body: dict[str, Any], country: str) -> dict[str, Any]:
    """The body with its phone numbers, also a person's and a company's, in E.164 form."""
    made = dict(body)
    for key, value in body.items():
        if key in {"person", "company"} and isinstance(value, dict):
            made[key] = _dialable(value, country)
        elif key == "phone":
            made[key] = in_country(value, country, field=key, senders=False, national=True)
        elif key == "phones" and isinstance(value, list):
            made[key] = [
                in_country(each, country, field="company_phones", senders=False, national=True)
                for each in value
            ]
    return made


def _with_website(url: str, website: str) -> str:
    """The address with the website in its place; a typed ``{website_id}`` counts too, since the
    vendor's own examples are written so.
    """
    parts = urlsplit(url)
    where = "/".join(
        website if each == WEBSITE or unquote(each) == "{website_id}" else each
        for each in parts.path.split("/")
    )
    return parts._replace(path=where).geturl()


def below(website_id: str, *segments: object) -> str:
    """An address of a website: that of the field, or, if it is empty, the connection's."""
    rest = path(*segments) if segments else ""
    return f"{path('website', website_id)}{rest}" if website_id else f"/website/{WEBSITE}{rest}"


_MEANINGS = {
    "invalid_session": "identifier or key is wrong, or the token is of another tier",
    "not_allowed": "the token may not do this; it lacks a scope, or its tier can't",
    "not_subscribed": "the plugin is not installed on this website",
    "not_found": "there is nothing with this ID",
    "confirm_required": "Crisp asks for a confirmation by mail first",
    "quota_limit_exceeded": "the token's requests of the day are used up",
    "rate_limited": "too many requests in a short time",
}
"""What the vendor's words stand for. The words are its only error codes."""


def said(response: Response) -> str:
    """Crisp's ``reason``, what it stands for where that is known, and its message if it has one."""
    try:
        content = response.json()
    except DataError:
        return ""
    if not isinstance(content, dict):
        return ""
    reason = content.get("reason")
    reason = reason if isinstance(reason, str) else ""
    data = content.get("data")
    texts = [_MEANINGS.get(reason, "")]
    if isinstance(data, dict):
        texts += [str(data.get(key) or "") for key in ("message", "namespace")]
    more = "; ".join(dict.fromkeys(text for text in texts if text))
    return f"{reason}: {more}" if reason and more else reason or more


def refused(response: Response) -> JunctorError | None:
    """What a refusal means beyond the general rules: that the token may not, and that Crisp is
    asked too often, which it says with 420 as well as with 429.
    """
    if response.status == 403 and said(response).startswith("not_allowed"):
        reason = said(response)
        return Reconnect(
            f"Crisp refused the connection (403): {reason}. Give the token that scope in Crisp, or "
            "connect with a token of the tier that this module asks for.",
            status=403,
            reason=reason,
        )
    if response.status != 420:
        return None
    reason = said(response) or "Enhance Your Calm"
    return RateLimited(
        f"The vendor refused for now: too many requests ({reason}).",
        retry_after=retry_after(response.headers),
        status=420,
        reason=reason,
    )


def _test(account: Any) -> Request:
    return Request("GET", path("website", account.website_id))


crisp = Connector(
    name="crisp",
    label="Crisp",
    docs="https://docs.crisp.chat/references/rest-api/v1/",
    help="Conversations, messages, people and visitors of a website's chat.",
    connections={
        "crisp": Connection(
            form=Token,
            base_url=BASE,
            sign=sign,
            # Reads one row, and shows both that the token is good and that the website is its own.
            test=_test,
            label="Crisp",
            budgets=BUDGETS,
        )
    },
    errors=refused,
    error_text=said,
)
