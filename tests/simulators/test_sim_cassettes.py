"""Real answers of SignalWire, recorded in 2018 and 2019, against what the simulator answers today.

The recordings are no part of this repository (`shared_dir` says where they are looked for). Every
recorded request is asked again; status, keys and types must be the recorded ones, but for what
`PERMITTED` lists, each with its reason.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sim_client import call

from junctor.simulators.kit import running
from junctor.simulators.signalwire import SignalWireSimulator
from tests.support import asynchronous, shared_dir

TODAY = "today's document has it"
NUMBER_AS_TEXT = "today's document writes this number as text"
PERMITTED = {
    # (what differs, where): why. ``[]`` is the first of a list.
    ("lacks", "Accounts.json.start"): "gone from today's document, as all paging by position",
    ("lacks", "Accounts.json.end"): "gone from today's document, as all paging by position",
    ("lacks", "Accounts.json.accounts[].subresource_uris.signing_keys"): "gone from the document",
    ("adds", "Accounts.json.accounts[].signing_key"): TODAY,
    ("adds", "Accounts.json.accounts[].owner_account_sid"): TODAY,
    ("adds", "Accounts.json.accounts[].subproject"): TODAY,
    ("adds", "Accounts.json.accounts[].region_preference"): TODAY,
    ("adds", "Applications.json.applications[].message_status_callback"): TODAY,
    ("adds", "Fax.json.error_code"): TODAY,
    ("adds", "Fax.json.error_message"): TODAY,
    ("type", "Fax.json.num_pages"): NUMBER_AS_TEXT,
    ("type", "Fax.json.price"): NUMBER_AS_TEXT,
    ("adds", "Fax/Media/Media.uri"): TODAY,
    ("adds", "Fax/Media.media"): "the document has this name; the recording has fax_media",
    ("adds", "Fax/Media.fax_media[].url"): TODAY,
    ("adds", "Faxes.json.faxes[].error_code"): TODAY,
    ("adds", "Faxes.json.faxes[].error_message"): TODAY,
    ("type", "Faxes.json.faxes[].num_pages"): NUMBER_AS_TEXT,
    ("type", "Faxes.json.faxes[].price"): NUMBER_AS_TEXT,
    ("status", "POST Faxes.json"): "201 when recorded, 200 in today's document",
    ("adds", "POST Faxes.json.error_code"): TODAY,
    ("adds", "POST Faxes.json.error_message"): TODAY,
    ("adds", "Local.json.available_phone_numbers[].locality"): TODAY,
    ("adds", "TollFree.json.available_phone_numbers[].locality"): TODAY,
    ("adds", "Recordings.json.recordings[].encryption_details"): TODAY,
    ("adds", "Recordings.json.recordings[].trim"): TODAY,
    ("type", "Recordings.json.recordings[].price"): "null until it is known, in today's document",
    ("adds", "Transcriptions.json.transcriptions[].type"): TODAY,
    ("type", "Transcriptions.json.transcriptions[].price"): "null until known, as of recordings",
}


def recordings() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Requests and their answers."""
    yaml = pytest.importorskip("yaml")  # only the recordings are in that format
    files = sorted(shared_dir("specs", "signalwire", "cassettes").glob("*.yml"))
    rows = [row for file in files for row in yaml.safe_load(file.read_text())["http_interactions"]]
    return [(row["request"], row["response"]) for row in rows]


def differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, str]]:
    """What differs in shape; an empty list says nothing of its rows."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from (("lacks", f"{where}.{key}") for key in old.keys() - new.keys())
        yield from (("adds", f"{where}.{key}") for key in new.keys() - old.keys())
        for key in old.keys() & new.keys():
            yield from differences(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        if old and not new:
            yield "empty", where
        elif old:
            yield from differences(old[0], new[0], f"{where}[]")
    elif type(old) is not type(new):
        yield "type", where


@asynchronous
async def test_recorded_requests_are_answered_in_the_same_shapes() -> None:
    recorded = recordings()
    assert len(recorded) >= 13
    found: set[tuple[str, str]] = set()
    async with running(SignalWireSimulator(seed=1)) as sim:
        pair = f"{sim.project}:{sim.keys['api_token']}".encode()
        headers = {"authorization": "Basic " + base64.b64encode(pair).decode()}
        fax = next(iter(sim.state.faxes.values()))
        number = next(iter(sim.state.numbers.values()))["number"]
        for request, response in recorded:
            method, parts = request["method"].upper(), urlsplit(request["uri"])
            path = parts.path.replace("xyz123-xyz123-xyz123", sim.project)
            path = re.sub(r"(?<=Faxes/)[0-9a-f-]{36}", fax["sid"], path)
            path = re.sub(r"(?<=Media/)[0-9a-f-]{36}", fax["media_sid"], path)
            body = request["body"]["string"].encode()
            body = body.replace(b"%2B15556677888", number.replace("+", "%2B").encode())
            url = sim.origin + path + (f"?{parts.query}" if parts.query else "")
            answer = await call(method, url, body or None, headers)
            name = re.sub(r"^Faxes/[^/.]+", "Fax", path.split(f"{sim.project}/")[-1])
            name = re.sub(r"(?<=Media/).*", "Media", name.removeprefix("/2010-04-01/"))
            name = name.split("/")[-1] if "AvailablePhoneNumbers" in name else name
            name = name if method == "GET" else f"{method} {name}"
            if answer.status != response["status"]["code"]:
                found.add(("status", name))
            text = response["body"]["string"]
            if text:
                found.update(differences(json.loads(text), answer.data, name))
            else:
                assert answer.body == b"", name
    assert found - PERMITTED.keys() == set()
    assert PERMITTED.keys() - found == set(), "permitted, but no longer so: take it off the list"
