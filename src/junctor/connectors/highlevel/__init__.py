"""HighLevel: everything of a location, its events, and what polling finds where there are none.

Facts: the vendor's OpenAPI documents (GoHighLevel/highlevel-api-docs, CC0), its pages on
authorization and webhooks. Modules are rows of `table.operation`; what is not made by hand comes
from the catalogue.
"""

from junctor.connectors.highlevel import (
    activities,
    calendars,
    contacts,
    conversations,
    events,
    generated,
    location,
    opportunities,
    polls,
)
from junctor.connectors.highlevel.account import highlevel

__all__ = [
    "activities",
    "calendars",
    "contacts",
    "conversations",
    "events",
    "generated",
    "highlevel",
    "location",
    "opportunities",
    "polls",
]

generated.register()
