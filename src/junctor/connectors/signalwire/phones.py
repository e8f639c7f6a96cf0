"""Who calls and who is called: phone numbers in E.164 form, SIP addresses, short codes."""

from __future__ import annotations

from typing import Any

import phonenumbers

from junctor.errors import BundleInvalid

__all__ = ["in_country"]

_OTHERS = ("sip:", "sips:", "client:", "verto:", "whatsapp:")
_LONGEST_SHORT_CODE = 6


def in_country(value: Any, country: str, *, field: str) -> Any:
    """A number in E.164 form; one without a country code is ``country``'s.

    Left as they are: SIP and other addresses with a scheme, short codes, sender names (letters),
    and what is no text. `BundleInvalid`, naming ``field``, on what can't be dialled.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text or text.lower().startswith(_OTHERS) or "@" in text:
        return text
    digits = "".join(letter for letter in text if letter.isdigit())
    if text.isdigit() and len(digits) <= _LONGEST_SHORT_CODE:
        return text
    if any(letter.isalpha() for letter in text):
        return text  # the name of a sender; SignalWire says so if it may not be one
    region = country.strip().upper()
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise BundleInvalid(
            field=field,
            reason=f"{value[:40]!r} is no phone number; write it with its country code, such as "
            f"+12025550142, or as a number of the connection's country ({region or 'none'})",
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
