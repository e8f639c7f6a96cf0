"""Every other route of Crisp's as a module, from `catalogue.json` (made by tools/catalogue_crisp).

A route that has a module made by hand is not made again: `HAND_MADE` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from junctor.connectors.crisp.account import WEBSITE, crisp, said
from junctor.connectors.crisp.conversations import Session
from junctor.connectors.crisp.messages import Fingerprint
from junctor.connectors.crisp.people import Person
from junctor.connectors.crisp.visitors import UNSIZED
from junctor.connectors.crisp.website import Operator, Website, list_inboxes
from junctor.language.catalogue import Conventions, modules_from
from junctor.language.connector import Field

__all__ = ["HAND_MADE", "catalogue"]

HAND_MADE: Mapping[str, str] = {
    "addNewPeopleProfile": "addPeopleProfile",
    "addPeopleEvent": "addPeopleEvent",
    "assignConversationRouting": "assignConversation",
    "blockIncomingMessagesForConversation": "blockConversation",
    "changeConversationState": "changeConversationState",
    "checkWebsiteExists": "checkWebsiteExists",
    "countVisitors": "countVisitors",
    "createNewConversation": "createConversation",
    "createWebsite": "createWebsite",
    "deleteWebsite": "deleteWebsite",
    "getConversation": "getConversation",
    "getMessageInConversation": "getMessage",
    "getMessagesInConversation": "listMessages",
    "getPeopleProfile": "getPeopleProfile",
    "getWebsite": "getWebsite",
    "listConversations": "searchConversations",
    "listInboxes": "listInboxes",
    "listPeopleProfiles": "listPeopleProfiles",
    "listSuggestedPeopleSegments": "listPeopleSegments",
    "listVisitors": "listVisitors",
    "listWebsiteOperators": "listOperators",
    "markMessagesReadInConversation": "markMessagesRead",
    "removeConversation": "removeConversation",
    "removeMessageInConversation": "removeMessage",
    "removePeopleProfile": "removePeopleProfile",
    "scheduleReminderForConversation": "scheduleReminder",
    "sendMessageInConversation": "sendMessage",
    "updateConversationMetas": "updateConversationDetails",
    "updateMessageInConversation": "editMessage",
    "updatePeopleData": "updatePeopleData",
    "updatePeopleProfile": "updatePeopleProfile",
}
"""The module made by hand for an operation of the catalogue."""

Inbox = Annotated[str | None, Field(label="Inbox", options=list_inboxes, option_value="inbox_id")]
Plugin = Annotated[str, Field(label="Plugin ID", help="In the Marketplace, on the plugin's page.")]


def catalogue() -> Mapping[str, Any]:
    """The facts, read from the package."""
    data = files("junctor.connectors.crisp").joinpath("catalogue.json").read_bytes()
    found: Mapping[str, Any] = msgspec.json.decode(data)
    return found


def _tiers(operation: Mapping[str, Any]) -> str:
    tiers = operation.get("tiers")
    if not tiers:
        return "The vendor's table of routes does not say which tiers of tokens may."
    named = " or ".join(tiers)
    return f"For tokens of the tier {named}, by the vendor's table of routes."


CONVENTIONS = Conventions(
    items="data",
    page="page_number",
    # How many rows a page has is published for two lists only, and both are made by hand.
    paging=UNSIZED,
    known={
        "website_id": Website,
        "session_id": Session,
        "people_id": Person,
        "fingerprint": Fingerprint,
        "user_id": Operator,
        "inbox_id": Inbox,
        "plugin_id": Plugin,
    },
    filled={"website_id": WEBSITE},
    # Crisp's PATCH sets the fields it is given; what acts instead is named.
    patch="idempotent",
    effects={
        "assistExistingBrowsingSession": "once",
        "composeMessageInConversation": "once",
        "redeemCouponForWebsitePlanSubscription": "once",
        "redeemIdentityVerificationLinkForConversation": "once",
        "requestHelpdeskDomainChange": "once",
        "sendActionToExistingBrowsingSession": "once",
        "transmitSignalingOnOngoingCallSession": "once",
    },
    error_text=said,
    note=_tiers,
)

for _module in modules_from(catalogue(), "crisp", CONVENTIONS, taken=HAND_MADE):
    crisp.add(_module)
