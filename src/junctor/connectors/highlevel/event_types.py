"""The events that HighLevel tells a marketplace app, in families, and how a payload names its own.

Facts: the vendor's webhook pages (58 events in GoHighLevel/highlevel-api-docs, CC0, and 19 that
only its live documentation lists, 2026-09).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EVENTS", "FAMILIES", "Family", "events_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Events about one kind of thing, watched by one module."""

    name: str
    """The module's name."""
    label: str
    about: str
    events: tuple[str, ...]
    keys: frozenset[str] = frozenset()
    """Fields by which a payload of this family is known that names no event."""


def _family(
    name: str, label: str, about: str, subject: str, verbs: str, *keys: str, more: str = ""
) -> Family:
    events = (*(subject + verb for verb in verbs.split()), *more.split())
    return Family(name=name, label=label, about=about, events=events, keys=frozenset(keys))


FAMILIES: tuple[Family, ...] = (
    _family(
        "watchContacts",
        "Watch contacts",
        "a contact is created, changed or deleted, or its tags or do-not-disturb settings change",
        "Contact",
        "Create Update Delete TagUpdate DndUpdate",
    ),
    _family(
        "watchTasks",
        "Watch tasks",
        "a task is created, completed or deleted; HighLevel has no event for other changes of it",
        "Task",
        "Create Complete Delete",
    ),
    _family(
        "watchNotes",
        "Watch notes",
        "a note is written, changed or deleted",
        "Note",
        "Create Update Delete",
    ),
    _family(
        "watchMessages",
        "Watch messages",
        "a message or call comes in or goes out, or one is to be sent by your own provider",
        "",
        "InboundMessage OutboundMessage ProviderOutboundMessage",
    ),
    _family(
        "watchConversations",
        "Watch conversations",
        "a conversation changes, or its number of unread messages",
        "Conversation",
        "UnreadWebhook Update",
    ),
    _family(
        "watchOpportunities",
        "Watch opportunities",
        "an opportunity is created, changed or deleted, or its stage, status, value or person "
        "changes",
        "Opportunity",
        "Create Update Delete StageUpdate StatusUpdate AssignedToUpdate MonetaryValueUpdate",
    ),
    _family(
        "watchAppointments",
        "Watch appointments",
        "an appointment is booked, changed or deleted",
        "Appointment",
        "Create Update Delete",
        "appointment",
    ),
    _family(
        "watchCampaigns",
        "Watch campaigns",
        "the status of a contact in a campaign changes",
        "Campaign",
        "StatusUpdate",
    ),
    _family(
        "watchInvoices",
        "Watch invoices",
        "an invoice is created, changed, sent, paid, paid in part, voided or deleted",
        "Invoice",
        "Create Update Delete Sent Paid PartiallyPaid Void",
        "invoiceNumber",
    ),
    _family(
        "watchOrders",
        "Watch orders",
        "an order is placed or its status changes",
        "Order",
        "Create StatusUpdate",
        "fulfillmentStatus",
    ),
    _family(
        "watchProducts",
        "Watch products",
        "a product is created, changed or deleted",
        "Product",
        "Create Update Delete",
        "productType",
    ),
    _family(
        "watchPrices",
        "Watch prices",
        "a price is created, changed or deleted",
        "Price",
        "Create Update Delete",
        "priceType",
    ),
    _family(
        "watchRecords",
        "Watch records of custom objects",
        "a record of a custom object is created, changed or deleted",
        "Record",
        "Create Update Delete",
        "owners",
        "followers",
        "properties",
    ),
    _family(
        "watchObjectSchemas",
        "Watch custom objects",
        "a custom object is defined or its definition changes",
        "ObjectSchema",
        "Create Update",
        "searchableProperties",
    ),
    _family(
        "watchAssociations",
        "Watch associations",
        "a kind of relation between objects is defined, changed or deleted",
        "Association",
        "Create Update Delete",
        "associationType",
    ),
    _family(
        "watchRelations",
        "Watch relations",
        "two records are related, or no longer",
        "Relation",
        "Create Delete",
        "firstRecordId",
        "secondRecordId",
    ),
    _family(
        "watchLocations",
        "Watch locations",
        "a location of the agency is created or changes",
        "Location",
        "Create Update",
    ),
    _family(
        "watchUsers",
        "Watch users",
        "a user is created, changed or deleted",
        "User",
        "Create Update Delete",
    ),
    _family(
        "watchEmailStatistics",
        "Watch e-mail statistics",
        "an e-mail is delivered, opened, clicked, or bounces",
        "",
        "LCEmailStats",
    ),
    _family(
        "watchApp",
        "Watch the app",
        "the marketplace app is installed, removed, updated or paid, or its plan changes",
        "App",
        "Install Uninstall Update PaymentStatus",
        more="PlanChange ExternalAuthConnected SaaSPlanCreate",
    ),
    _family(
        "watchSupportTickets",
        "Watch support tickets",
        "a support ticket is opened, changed or deleted",
        "SupportTicket",
        "Create Update Delete",
    ),
    _family(
        "watchKnowledgeBases",
        "Watch knowledge bases",
        "a knowledge base or something in it changes",
        "KnowledgeBase",
        "Create Update Delete FileChange FaqChange RichTextChange TableFileChange TrainedUrlChange",
    ),
    _family(
        "watchVoiceAi",
        "Watch voice AI calls",
        "a call with a voice AI agent ends",
        "",
        "VoiceAiCallEnd",
    ),
)
EVENTS: tuple[str, ...] = tuple(event for family in FAMILIES for event in family.events)
"""All published names."""

_KNOWN = frozenset(EVENTS)
_OTHER_NAMES = {
    "INSTALL": "AppInstall",
    "UNINSTALL": "AppUninstall",
    "UPDATE": "AppUpdate",
    "PLAN_CHANGE": "PlanChange",
    "ConversationUnreadUpdate": "ConversationUnreadWebhook",
}
"""What payloads say in place of the published name."""


def events_of(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The event a payload tells; of one that names none, all that it may be; else nothing."""
    said = payload.get("type")
    if isinstance(said, str):
        name = _OTHER_NAMES.get(said, said)
        if name in _KNOWN:
            return (name,)
        if "messageId" in payload and "contactId" in payload:
            # What a provider is to send has its channel as type: SMS or Email.
            return ("ProviderOutboundMessage",)
    for family in FAMILIES:
        if family.keys and family.keys <= payload.keys():
            return family.events
    return (said,) if isinstance(said, str) and said else ()
