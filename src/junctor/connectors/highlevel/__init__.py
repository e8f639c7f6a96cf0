"""HighLevel: contacts, tags, notes and events of a location.

Facts: the vendor's OpenAPI documents (GoHighLevel/highlevel-api-docs, CC0), its pages on
authorization and webhooks.
"""

from junctor.connectors.highlevel import contacts, events
from junctor.connectors.highlevel.account import highlevel

__all__ = ["contacts", "events", "highlevel"]
