"""SignalWire's catalogue: every operation of both documents is a module, made once."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from types import GeneratorType
from typing import Any, Literal, get_args, get_origin

import pytest

from junctor.connectors.signalwire import signalwire
from junctor.connectors.signalwire.account import PROJECT
from junctor.connectors.signalwire.generated import HAND_MADE, catalogue
from junctor.language.connector import Request
from junctor.language.forms import bind, slots_of
from tests.support import shared_dir

OPERATIONS = {row["name"]: row for row in catalogue()["operations"]}
GIVEN = {
    "from": "+12025550199",
    "to": "+12025550142",
    "callUrl": "https://example.com/",
    "body": "x",
    "callSid": "s",
    "messageSid": "s",
    "recordingSid": "s",
    "status": None,
}


def test_every_operation_is_a_module() -> None:
    generated = {name for name, module in signalwire.modules.items() if module.generated}
    assert generated == OPERATIONS.keys() - HAND_MADE.keys()
    assert HAND_MADE.keys() <= OPERATIONS.keys()
    assert len(OPERATIONS) == 79 + 250
    labels = Counter(module.label for module in signalwire.modules.values())
    assert max(labels.values()) == 1


@pytest.mark.parametrize(("operation", "name"), HAND_MADE.items())
def test_what_is_made_by_hand_asks_what_the_catalogue_says(operation: str, name: str) -> None:
    module, row = signalwire.modules[name], OPERATIONS[operation]
    keys = {slot.key for slot in slots_of(module.function)}
    given = {key: value for key, value in GIVEN.items() if key in keys and value}
    if name == "updateCall":
        given = {"callSid": "s", "status": "completed"}
    made = module.function(**bind(module, given, {}))
    request = next(made) if isinstance(made, GeneratorType) else made
    assert isinstance(request, Request)
    path = row["path"].replace("{AccountSid}", PROJECT)
    assert request.method == row["method"]
    assert re.sub(r"\{(?!project)\w+\}", "s", path) == request.url
    query: Any = request.query
    assert set(dict(query)) <= set(row.get("query", {}))
    form: Any = request.form or ()
    body = row.get("body", {})
    body = catalogue()["types"].get(body.get("$ref"), body)
    assert set(dict(form)) <= set(body.get("properties", {}))
    assert bool(row.get("form")) == (request.form is not None)


@pytest.mark.parametrize(("operation", "name"), HAND_MADE.items())
def test_what_is_made_by_hand_offers_all_that_the_catalogue_has(operation: str, name: str) -> None:
    module, row = signalwire.modules[name], OPERATIONS[operation]
    asked: set[str] = set()
    for without in ("callUrl", "applicationSid"):  # a call has one of them
        given = {
            slot.key: FILLED.get(slot.key, sample(slot.hint, slot.field.minimum))
            for slot in slots_of(module.function)
            if slot.key not in {without, "callIdentifier", "contentType"}
        }
        made = module.function(**bind(module, given, {}))
        request = next(made) if isinstance(made, GeneratorType) else made
        asked |= {key.rstrip("<>") for key in (*dict(request.query), *dict(request.form or ()))}
    body = row.get("body", {})
    body = catalogue()["types"].get(body.get("$ref"), body)
    offered = {*row.get("query", {}), *body.get("properties", {})}
    paging = {"Page", "PageSize", "PageToken", "page_number", "page_size", "page_token"}
    assert {key.rstrip("<>") for key in offered} - paging <= asked


FILLED = {"from": "+12025550199", "to": "+12025550142", "sendDigits": "1", "maxPrice": "0.02"}


def sample(hint: Any, minimum: float | None) -> Any:
    """Some value of a field's type."""
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is list:
        return [sample(get_args(hint)[0], None)]
    return {bool: True, int: int(minimum or 1), float: 1.5, datetime: "2026-01-02"}.get(hint, "x")


def test_a_generated_module_sends_a_form_where_the_vendor_takes_one() -> None:
    module = signalwire.modules["lamlCreateApplication"]
    given = {"FriendlyName": "Reception", "VoiceUrl": "https://example.com/"}
    request = module.function(**bind(module, given, {}))
    assert request.url == f"/api/laml/2010-04-01/Accounts/{PROJECT}/Applications"
    assert request.form == (
        ("FriendlyName", "Reception"),
        ("VoiceUrl", "https://example.com/"),
    )
    assert request.json is None
    assert module.effect == "once"
    assert signalwire.modules["lamlUpdateApplication"].effect == "idempotent"


def test_generated_lists_page_by_the_next_address_and_filter_by_bounds() -> None:
    module = signalwire.modules["lamlListTranscriptions"]
    assert module.kind == "search"
    assert module.items == "transcriptions"
    assert module.paging is not None
    assert module.paging.next_key == "next_page_uri"
    request = module.function(**bind(module, {"DateCreated<": "2026-01-01"}, {}))
    assert request.query == {"DateCreated<": "2026-01-01"}
    rest = signalwire.modules["listVoiceLogs"]
    assert rest.items == "data"
    assert rest.paging is not None
    assert rest.paging.next_key == "links.next"


def test_the_catalogue_is_what_the_tool_makes_of_the_documents() -> None:
    pytest.importorskip("yaml")  # one of the documents is in that format
    from tools import catalogue_signalwire

    made = catalogue_signalwire.compiled(shared_dir("specs", "signalwire"))
    assert json.loads(json.dumps(made)) == catalogue()


def test_the_catalogue_holds_facts_and_no_texts() -> None:
    assert catalogue()["licence"] == "MIT"
    assert not {"description", "summary", "example"} & keys_of(catalogue()["operations"][:40])


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(each) for each in value.values()))
    return set().union(*(keys_of(each) for each in value)) if isinstance(value, list) else set()
