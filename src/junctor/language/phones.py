"""Who calls and who is called: phone numbers in E.164 form, SIP addresses, short codes."""

from __future__ import annotations

from typing import Any

import phonenumbers

from junctor.errors import BundleInvalid

__all__ = ["in_country", "same_number"]

_OTHERS = ("sip:", "sips:", "client:", "verto:", "whatsapp:")
_LONGEST_SHORT_CODE = 6
_LONGEST_TEXT = 40
_SAME_END = 5
_NUMBER = frozenset("0123456789+()-. /")
_SHORTEST, _LONGEST = 7, 15
"""Digits of a number that is left as it was typed; ITU-T E.164 allows 15 with the country code."""


def in_country(
    value: Any, country: str, *, field: str, senders: bool = True, national: bool = False
) -> Any:
    """A number in E.164 form; one without a country code is ``country``'s (two letters).

    Left as they are: what is no text, empty text and, with ``senders`` (for fields that say who
    sends or is called), SIP and other addresses with a scheme, short codes and sender names. With
    ``national`` a number without a country code is left, too, where no ``country`` is set: for
    vendors that keep a number as it is given. `BundleInvalid`, naming ``field`` and value, on what
    can't be dialled.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return text
    digits = "".join(letter for letter in text if letter.isdigit())
    region = country.strip().upper()
    if senders:
        if text.lower().startswith(_OTHERS) or "@" in text:
            return text
        if text.isdigit() and len(digits) <= _LONGEST_SHORT_CODE:
            return text
        if any(letter.isalpha() for letter in text):
            return text  # the name of a sender; the vendor says so if it may not be one
    if text.startswith("00"):
        text = "+" + text[2:]
    lettered = any(letter.isalpha() for letter in text)
    bare = not text.startswith("+") and not lettered
    if national and not region and bare and _SHORTEST <= len(digits) <= _LONGEST:
        return text
    number = None if lettered else _read(text, region)
    if number is None:
        raise BundleInvalid(
            field=field,
            reason=f"{value[:40]!r} is no phone number; write it with its country code, such as "
            f"+12025550142, or as a number of the connection's country ({region or 'none'})",
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _read(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def same_number(one: str, other: str, country: str = "") -> bool:
    """Whether two texts are the same phone number, however each is written.

    One without a country code is ``country``'s (two letters); without that, it is the same only as
    one written with the same digits.
    """
    region = country.strip().upper()
    texts = (one.strip(), other.strip())
    for text in texts:
        if not text or len(text) > _LONGEST_TEXT or not set(text) <= _NUMBER:
            return False
    # However they begin, they end alike; to read a number takes far longer than to see that.
    if len({"".join(filter(str.isdigit, text))[-_SAME_END:] for text in texts}) > 1:
        return False
    numbers = []
    for text in texts:
        number = _read("+" + text[2:] if text.startswith("00") else text, region)
        if number is None:
            return False
        numbers.append(number)
    return bool(numbers[0] == numbers[1])
