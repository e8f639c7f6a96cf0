"""Crisp: conversations, messages, people and visitors of a website's chat.

Facts: the vendor's own library for Node (crisp-api 11.3.0, MIT) and its pages on web hooks; what
they leave open stands in `assumptions`. Modules made by hand come first; `generated` adds every
other route of the vendor's from `catalogue.json`.
"""

from junctor.connectors.crisp import (
    conversations,
    events,
    generated,
    messages,
    people,
    visitors,
    website,
)
from junctor.connectors.crisp.account import crisp

__all__ = [
    "conversations",
    "crisp",
    "events",
    "generated",
    "messages",
    "people",
    "visitors",
    "website",
]
