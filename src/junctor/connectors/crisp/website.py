"""Websites, and what a website has to pick from: operators, inboxes, segments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from junctor.connectors.crisp.account import BASE, VERIFY, WEBSITES, below, crisp, said
from junctor.connectors.crisp.assumptions import SHORT_PAGE
from junctor.connectors.crisp.probes import WEBSITE_CREATED
from junctor.errors import DataError
from junctor.language.calls import add_api_call, refusal
from junctor.language.connector import Bundle, Field, Flow, Paging, Request, Secret

__all__ = ["PAGES", "Limit", "Operator", "Website"]

PAGES = Paging(style="path", size=SHORT_PAGE, limit_param="", first=1)
"""The page's number, from 1, is in the path; where a size may be asked for, it is in the query."""

Limit = Annotated[int, Field(label="Limit", help="The most results per cycle.", minimum=1)]

MOST_WEBSITES = 100
"""Pages of websites looked at."""


@crisp.search("List websites")
def list_websites(limit: Limit = 100) -> Flow:
    """Gives the websites that the connection's token can reach.

    A website token reaches one; a plugin token all that have the plugin (ID, plan and settings of
    each, no name); a user token those of the person.
    """
    found: list[Bundle] = []
    for page in range(1, MOST_WEBSITES + 1):
        response = yield Request("GET", f"{WEBSITES}{page}")
        data = _data(response.json())
        rows = [data] if isinstance(data, dict) else data
        if not isinstance(rows, list):
            raise DataError(reason="Crisp gave no list of websites")
        known = {row.get("website_id") for row in found}
        new = [row for row in rows if isinstance(row, dict) and row.get("website_id") not in known]
        found += new
        # Lists that have no pages give the same rows again.
        if not new or len(found) >= limit or isinstance(data, dict):
            break
    return found[:limit]


def _data(content: Any) -> Any:
    return content.get("data") if isinstance(content, dict) else None


Website = Annotated[
    str,
    Field(
        label="Website",
        help="Only if it is another than the connection's.",
        key="website_id",
        options=list_websites,
        option_value="website_id",
        option_label="name",
        advanced=True,
    ),
]


@crisp.search("List operators", items="data", limit_field="limit")
def list_operators(limit: Limit = 100, website_id: Website = "") -> Request:
    """Gives the people who answer on the website: in `details` user ID, name, e-mail and role."""
    del limit
    return Request("GET", below(website_id, "operators", "list"))


Operator = Annotated[
    str,
    Field(
        label="Operator",
        help="The operator's user ID.",
        options=list_operators,
        option_value="details.user_id",
        option_label="details.email",
    ),
]


@crisp.search("List inboxes", items="data", paging=PAGES, limit_field="limit")
def list_inboxes(limit: Limit = 100, website_id: Website = "") -> Request:
    """Gives the inboxes that conversations are sorted into."""
    del limit
    return Request("GET", f"{below(website_id, 'inboxes', 'list')}/{{page}}")


@crisp.action("Check if a website exists", effect="read")
def check_website_exists(
    domain: Annotated[str, Field(label="Domain", example="example.com")],
) -> Flow:
    """Says in `exists` whether Crisp has a website with a domain."""
    response = yield Request("HEAD", "/website", query={"domain": domain}, raises=False)
    exists = 200 <= response.status < 300
    error = None if response.status == 404 else refusal(response, "read", reason=said(response))
    if error is not None:
        raise error
    return {"exists": exists, "domain": domain}


@crisp.action("Get a website", effect="read", items="data")
def get_website(website_id: Website = "") -> Request:
    """Gives the website's name, domain, logo, and whether its domain is verified."""
    return Request("GET", below(website_id))


@crisp.action("Create a website", effect="once", items="data", probe=WEBSITE_CREATED)
def create_website(
    name: Annotated[str, Field(label="Website", help="The website's name.")],
    domain: Annotated[str, Field(label="Domain", example="example.com")],
) -> Request:
    """Creates a website. Only a connection of the tier *user* may."""
    return Request("POST", "/website", json={"name": name, "domain": domain})


@crisp.action("Delete a website", effect="idempotent")
def delete_website(
    password: Annotated[
        Secret,
        Field(
            label="Password",
            help="Your Crisp account's password, or what the method below asks for.",
        ),
    ],
    method: Annotated[
        Literal["password", "token", "google"],
        Field(
            label="Method of verification",
            help="How Crisp makes sure that it is you; today's API needs it.",
            advanced=True,
        ),
    ] = "password",
    website_id: Website = "",
) -> Flow:
    """Schedules the deletion of a website. Only a connection of the tier *user* may.

    Today's API deletes after some days: its owners are told by mail, and until then the deletion
    can be cancelled (`DELETE /v1/website/{website_id}/expunge` with *Make an API call*). The
    password stands in the scenario: keep such a scenario to yourself.
    """
    body = {VERIFY: {"method": method, "secret": str(password)}}
    response = yield Request("DELETE", below(website_id), json=body)
    answer = response.json() if response.body else None
    return {"scheduled": True, **(answer if isinstance(answer, dict) else {})}


add_api_call(
    crisp,
    base=BASE,
    docs="For example `/v1/website/{website_id}/conversations/1`; `{website_id}` stands for the "
    "connection's website. The vendor's reference lists all: docs.crisp.chat.",
    example="/v1/website/{website_id}/conversations/1",
    error_text=said,
)
