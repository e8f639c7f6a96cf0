"""Every other operation of SignalWire's two APIs as a module, from `catalogue.json`.

The file is made by tools/catalogue_signalwire. An operation that has a module made by hand is not
made again: `HAND_MADE` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import msgspec

from junctor.connectors.signalwire.account import PROJECT, said, signalwire
from junctor.connectors.signalwire.calls import CallSid
from junctor.connectors.signalwire.fields import PAGES
from junctor.connectors.signalwire.lists import REST_PAGES
from junctor.connectors.signalwire.messages import MessageSid
from junctor.connectors.signalwire.probes import MADE
from junctor.language.catalogue import Conventions, modules_from

__all__ = ["HAND_MADE", "catalogue"]

HAND_MADE: Mapping[str, str] = {
    "lamlCreateACall": "createCall",
    "lamlCreateMessage": "createMessage",
    "lamlDeleteACall": "deleteCall",
    "lamlDeleteMessage": "deleteMessage",
    "lamlDeleteRecording": "deleteRecording",
    "lamlListAllCalls": "searchCalls",
    "lamlListAllFaxes": "listFaxes",
    "lamlListApplications": "listApplications",
    "lamlListMedia": "listMessageMedia",
    "lamlListMessages": "searchMessages",
    "lamlListRecordings": "listRecordings",
    "lamlRetrieveACall": "getCall",
    "lamlRetrieveMessage": "getMessage",
    "lamlRetrieveRecording": "getRecording",
    "lamlUpdateACall": "updateCall",
    "lamlUpdateMessage": "clearMessageBody",
    "listNumberGroupsRest": "listNumberGroups",
    "listPhoneNumbers": "listNumbers",
}
"""The module made by hand for an operation of the catalogue."""


def catalogue() -> Mapping[str, Any]:
    """The facts, read from the package."""
    data = files("junctor.connectors.signalwire").joinpath("catalogue.json").read_bytes()
    found: Mapping[str, Any] = msgspec.json.decode(data)
    return found


_facts = catalogue()

CONVENTIONS = Conventions(
    pagings={"laml": PAGES, "rest": REST_PAGES},
    known={"CallSid": CallSid, "MessageSid": MessageSid},
    filled={"AccountSid": PROJECT},
    # An update of the Compatibility API is a POST that sets what it is given.
    effects={
        row["name"]: "idempotent"
        for row in _facts["operations"]
        if row["name"].startswith("lamlUpdate")
    },
    # Its documents call them partial updates: what is left out stays.
    patch="idempotent",
    error_text=said,
    note=lambda row: f"Of SignalWire's {row['api']} API.",
)

for _module in modules_from(_facts, "signalwire", CONVENTIONS, taken=HAND_MADE):
    signalwire.add(replace(_module, probe=MADE.get(_module.name)))
