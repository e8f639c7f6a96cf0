"""What SignalWire is told to do with a call or message: cXML documents.

The verbs are those of the vendor's cXML reference: Say, Dial, Record, Reject, Hangup, Receive and
Message. A document is at most 64 KB (error 11750 beyond).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from xml.sax import SAXParseException, handler

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from junctor.errors import BundleInvalid
from junctor.language.connector import Answer

__all__ = ["EMPTY", "answered", "check_own", "document", "verb"]

LARGEST = 64 * 1024
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPE = (("content-type", "application/xml; charset=utf-8"),)


def verb(name: str, text: str = "", *, inner: str = "", **attributes: object) -> str:
    """One verb; attributes that are empty are left out. ``inner`` is XML already."""
    named = "".join(
        f' {key}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    content = escape(text, quote=False) + inner
    return f"<{name}{named}>{content}</{name}>" if content else f"<{name}{named}/>"


def document(*verbs: str) -> str:
    """A whole document."""
    return f"{_HEAD}<Response>{''.join(verbs)}</Response>"


def answered(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A document as an answer."""
    return Answer(status=status, headers=(*_TYPE, *(headers or {}).items()), body=text.encode())


EMPTY = document()
"""Nothing to do. It ends a call, and sends nothing back to a message."""


def check_own(field: str, text: str) -> None:
    """`BundleInvalid` unless a text is a document that SignalWire would take."""
    if len(text.encode()) > LARGEST:
        raise BundleInvalid(field=field, reason="the cXML is over 64 KB")
    found = _Root()
    try:
        # With a document type it could name files; nobody needs one here.
        parseString(text.strip().encode(), found, forbid_dtd=True)
    except SAXParseException as error:
        raise BundleInvalid(
            field=field,
            reason=f"the cXML can't be read, line {error.getLineNumber()}: {error.getMessage()}",
        ) from error
    except DefusedXmlException as error:
        raise BundleInvalid(
            field=field, reason="the cXML has a document type or entities; remove them"
        ) from error
    if found.name != "Response":
        raise BundleInvalid(
            field=field, reason=f"the cXML begins with <{found.name}>; it must be <Response>"
        )


class _Root(handler.ContentHandler):
    name = ""

    def startElement(self, name: str, attrs: object) -> None:  # noqa: ARG002, N802  # SAX's signature
        self.name = self.name or name
