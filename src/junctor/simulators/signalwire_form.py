"""Forms and queries of the Compatibility API: reading them, and refusing what doesn't fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from junctor.simulators.checks import normal_phone
from junctor.simulators.routes import Refused
from junctor.simulators.wire import Request

__all__ = ["DIGITS", "Form", "check_url", "choice", "party", "whole", "within"]

DIGITS = re.compile(r"[\d#*wW]{1,32}")
"""What ``SendDigits`` may be."""


class Form:
    """A form's fields, the last of each name; repeated ones by `every`."""

    def __init__(self, request: Request) -> None:
        self._pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        self.fields = dict(self._pairs)

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self._pairs if key in {name, f"{name}[]"} and value]

    def get(self, name: str, default: str = "") -> str:
        """The value of a field."""
        return self.fields.get(name) or default


def party(text: str, name: str, code: int) -> str:
    """A phone number in E.164 form or a SIP address; `Refused` with ``code``."""
    if text.startswith("sip:"):
        return text
    number = normal_phone(text)
    if number is None or not text.strip().startswith("+"):
        raise Refused(422, f"{name} {text!r} is not a valid phone number in E.164 form", code=code)
    return number


def check_url(text: str, name: str) -> None:
    """`Refused` on what is no address; empty is fine."""
    if text and not text.startswith(("http://", "https://")):
        raise Refused(422, f"{name} is not a valid URL", code=21402)


def choice(form: Form, name: str, *allowed: str) -> None:
    """`Refused` on another value; empty is fine."""
    if form.get(name) and form.get(name) not in allowed:
        raise Refused(422, f"{name} must be one of {', '.join(allowed)}", code=10000)


def within(form: Form, name: str, low: int, high: int, *, code: int = 10000) -> None:
    """`Refused` on what is no whole number in a range; empty is fine."""
    text = form.get(name)
    if text and (not text.isdecimal() or not low <= int(text) <= high):
        raise Refused(422, f"{name} must be from {low} to {high}", code=code)


def whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number of a query, in a range."""
    text = query.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refused(422, f"{name} must be from {low} to {high}", code=10000)
    return int(text)
