"""Crisp's catalogue: every route is a module, made once, from facts alone."""

from __future__ import annotations

import json
import re
from types import GeneratorType
from typing import Any

import pytest

from junctor.connectors.crisp import crisp
from junctor.connectors.crisp.account import WEBSITE
from junctor.connectors.crisp.generated import HAND_MADE, catalogue
from junctor.language.connector import Request
from junctor.language.forms import bind, slots_of
from tests.support import shared_dir
from tools import catalogue_crisp

OPERATIONS = {row["name"]: row for row in catalogue()["operations"]}


def test_every_route_is_a_module() -> None:
    generated = {name for name, module in crisp.modules.items() if module.generated}
    assert generated == OPERATIONS.keys() - HAND_MADE.keys()
    assert HAND_MADE.keys() <= OPERATIONS.keys()
    assert len(OPERATIONS) == 225
    labels = [module.label for module in crisp.modules.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(("operation", "name"), HAND_MADE.items())
def test_what_is_made_by_hand_asks_what_the_catalogue_says(operation: str, name: str) -> None:
    module, row = crisp.modules[name], OPERATIONS[operation]
    assert not module.generated
    given: dict[str, Any] = {}
    for slot in slots_of(module.function):
        if slot.required:
            given[slot.key] = slot.field.example or ("4" if slot.hint is int else "12345678")
    given |= {"content": "x", "nickname": "x", "full_name": "x"}
    given |= {"state": "resolved"} if name == "changeConversationState" else {}
    given |= {"date": "2026-01-01"} if name == "scheduleReminder" else {}
    made = module.function(**bind(module, given, {}))
    request = next(made) if isinstance(made, GeneratorType) else made
    assert isinstance(request, Request)
    path = re.escape(row["path"].replace("{website_id}", WEBSITE))
    path = path.replace(re.escape(WEBSITE), "WEBSITE")
    shape = re.sub(r"\\\{\w+\\\}", "[^/]+", path).replace("WEBSITE", re.escape(WEBSITE))
    assert request.method == row["method"]
    assert re.fullmatch(shape, request.url), request.url
    query: Any = request.query
    assert set(dict(query)) <= set(row.get("query", {}))


def test_the_catalogue_holds_facts_and_no_texts() -> None:
    held = catalogue()
    assert (held["source"], held["licence"]) == (
        "npm crisp-api 11.3.0: its routes and types",
        "MIT",
    )
    keys: set[str] = set()

    def look(value: Any, *, named: bool = False) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                if not named:
                    keys.add(key)
                look(each, named=key in {"properties", "query", "types"} and not named)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(held)
    assert keys == {
        *("source", "licence", "types", "operations", "name", "label", "method", "path", "query"),
        *("result", "body", "body_required", "tiers", "type", "enum", "items", "properties"),
        *("required", "$ref", "needs"),
    }


def test_the_catalogue_is_what_the_tool_makes() -> None:
    folder = shared_dir("specs", "crisp")
    spec = json.loads((folder / catalogue_crisp.SPEC).read_text(encoding="utf-8"))
    routes = json.loads((folder / catalogue_crisp.ROUTES).read_text(encoding="utf-8"))
    assert catalogue_crisp.compile_catalogue(spec, routes) == catalogue()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("resolveHelpdeskLocale", "Get a helpdesk locale"),
        ("createNewInbox", "Create an inbox"),
        ("listTeams", "List teams"),
        ("checkTeamExists", "Check if a team exists"),
        ("getWebsiteSettings", "Get website settings"),
        ("sendActionToExistingBrowsingSession", "Send an action to a browsing session"),
        ("batchReadConversations", "Mark conversations as read in bulk"),
    ],
)
def test_labels_are_ours(name: str, label: str) -> None:
    assert catalogue_crisp.label(name) == label


def test_a_path_that_holds_slashes_stays_one_segment() -> None:
    module = crisp.modules["resolveHelpdeskTreePage"]
    request = module.function(locale="en", content_type="text", path="guides/first steps")
    assert request.url.endswith("/helpdesk/tree/page/en/text/guides%2Ffirst%20steps")
