"""Calls, faxes and messages that come in: told at once, and answered with what the user chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from junctor.connectors.signalwire import cxml
from junctor.connectors.signalwire.account import signalwire
from junctor.connectors.signalwire.assumptions import FALLBACK
from junctor.connectors.signalwire.deliveries import (
    SIGNED,
    call_of,
    incoming_call,
    incoming_message,
    read,
)
from junctor.connectors.signalwire.handlers import CALLED, CALLS, MESSAGED, MESSAGES
from junctor.connectors.signalwire.lists import list_numbers
from junctor.connectors.signalwire.missed import missed_calls, missed_messages
from junctor.errors import BundleInvalid
from junctor.language.connector import Answer, Bundle, Delivery, Field, HookDef, Secret
from junctor.language.phones import in_country
from junctor.language.verifiers import check_secret

__all__ = ["MessageSettings", "Number", "SigningKey", "VoiceSettings"]

SigningKey = Annotated[
    Secret,
    Field(
        label="Signing key",
        help="Of the project: in its dashboard under API, Signing Key. Begins with `PSK_`. What "
        "is not signed with it is refused.",
    ),
]
Number = Annotated[
    str,
    Field(
        label="Set up this number",
        help="While the scenario is active the number sends to this trigger; what handled it "
        "before is kept and put back afterwards. Empty: enter the address in the number's settings "
        "yourself, and the same with `?fallback=1` as its fallback.",
        options=list_numbers,
        option_label="number",
    ),
]

Choice = Literal["say", "forward", "record", "nothing", "reject", "own"]
WELCOME = "Thank you for your call. We will call you back."
RECORDED = "recorded"
"""The query parameter of our address that is asked once a caller has left a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSettings:
    """What callers hear. A number has only one handler, so this trigger takes the place of
    whatever answered before.
    """

    signing_key: SigningKey
    number: Number = ""
    receive: Annotated[
        Literal["voice", "fax"],
        Field(label="Accept incoming calls as", help="A fax is received whatever is chosen below."),
    ] = "voice"
    answer: Annotated[
        Choice,
        Field(
            label="Answer",
            help="say a text and hang up · forward to another number · record a message (the "
            "trigger starts again when it is there, with RecordingUrl) · nothing: hang up at "
            "once · reject as busy · own cXML.",
        ),
    ] = "say"
    text: Annotated[
        str,
        Field(label="Text", help="Said, or said before recording.", multiline=True),
    ] = WELCOME
    voice: Annotated[str, Field(label="Voice", example="woman", advanced=True)] = ""
    language: Annotated[str, Field(label="Language", example="en-US", advanced=True)] = ""
    forward_to: Annotated[
        str,
        Field(
            label="Forward to",
            key="forwardTo",
            help="A number with its country code, or a SIP address.",
            format="phone",
            example="+12025550142",
        ),
    ] = ""
    ring_seconds: Annotated[
        int,
        Field(
            label="Ring for",
            key="ringSeconds",
            help="Seconds until forwarding gives up.",
            minimum=5,
            maximum=600,
            advanced=True,
        ),
    ] = 30
    record_seconds: Annotated[
        int,
        Field(
            label="Longest message",
            key="recordSeconds",
            help="In seconds.",
            minimum=1,
            maximum=14_400,
            advanced=True,
        ),
    ] = 120
    own: Annotated[
        str,
        Field(
            label="Own cXML",
            help="A whole document, `<Response>…</Response>`.",
            multiline=True,
            advanced=True,
        ),
    ] = ""
    away: Annotated[
        Literal["same", "say", "forward", "nothing"],
        Field(
            label="While Junctor can't take calls",
            help="What callers hear while its database is away: the same as always, or something "
            "else. SignalWire asks for it at the fallback address.",
            advanced=True,
        ),
    ] = "same"
    away_text: Annotated[
        str,
        Field(label="Text for that time", key="awayText", multiline=True, advanced=True),
    ] = "We are sorry, there is a technical problem. Please call again later."

    def __post_init__(self) -> None:
        """Refuses a choice without what it needs."""
        check_secret("signing_key", self.signing_key)
        if self.answer in {"say", "record"} and not self.text.strip():
            raise BundleInvalid(field="text", reason="callers would hear nothing; give a text")
        if self.away == "say" and not self.away_text.strip():
            raise BundleInvalid(field="awayText", reason="callers would hear nothing; give a text")
        if "forward" in {self.answer, self.away}:
            if not self.forward_to.strip():
                raise BundleInvalid(
                    field="forwardTo", reason="calls are to be forwarded; say to which number"
                )
            in_country(self.forward_to, "", field="forwardTo")
        if self.answer == "own":
            cxml.check_own("own", self.own)


def voice_answer(settings: Mapping[str, Any]) -> Answer:
    """What a caller is told, where that is the same for everyone."""
    return cxml.answered(_voice(settings, str(settings.get("answer") or "say")))


def voice_answer_to(delivery: Delivery, settings: Mapping[str, Any]) -> Answer | None:
    """What a caller is told who is to leave a message, or has left one.

    Without an address of its own to go on at, a recording asks the same address again, and the
    caller would hear the tone again.
    """
    if settings.get("receive") == "fax" or settings.get("answer") != "record":
        return None
    if any(name == RECORDED for name, _ in delivery.query):
        return cxml.answered(cxml.document(cxml.verb("Hangup")))
    text = cxml.document(
        _say(settings, "text", WELCOME),
        cxml.verb(
            "Record",
            action=f"{delivery.url.partition('?')[0]}?{RECORDED}=1",
            method="POST",
            maxLength=settings.get("record_seconds") or 120,
            playBeep="true",
        ),
        cxml.verb("Hangup"),
    )
    return cxml.answered(text)


def voice_away(delivery: Delivery, settings: Mapping[str, Any]) -> Answer:
    """What a caller is told whose call could not be taken in.

    503 at the first address, so that SignalWire knows of it and asks the fallback address; there
    it must be 200, or the caller hears nothing at all.
    """
    chosen = str(settings.get("away") or "same")
    if chosen == "same":
        found = voice_answer_to(delivery, settings) or voice_answer(settings)
        text = found.body.decode()
    else:
        text = _voice({**settings, "text": settings.get("away_text") or WELCOME}, chosen)
    return _unstored(delivery, text)


def _unstored(delivery: Delivery, text: str) -> Answer:
    if any(name == FALLBACK for name, _ in delivery.query):
        return cxml.answered(text)
    return cxml.answered(text, 503, {"retry-after": "5"})


def _voice(settings: Mapping[str, Any], chosen: str) -> str:
    if chosen == "own":
        return str(settings.get("own") or cxml.EMPTY).strip()
    if settings.get("receive") == "fax":
        return cxml.document(cxml.verb("Receive"))
    if chosen == "forward":
        return cxml.document(_dial(settings))
    if chosen == "reject":
        return cxml.document(cxml.verb("Reject", reason="busy"))
    if chosen == "nothing":
        return cxml.EMPTY
    return cxml.document(_say(settings, "text", WELCOME), cxml.verb("Hangup"))


def _say(settings: Mapping[str, Any], name: str, default: str) -> str:
    return cxml.verb(
        "Say",
        str(settings.get(name) or default),
        voice=settings.get("voice"),
        language=settings.get("language"),
    )


def _dial(settings: Mapping[str, Any]) -> str:
    target = in_country(str(settings.get("forward_to") or ""), "", field="forwardTo")
    seconds = settings.get("ring_seconds") or 30
    if target.lower().startswith(("sip:", "sips:")):
        return cxml.verb("Dial", inner=cxml.verb("Sip", target), timeout=seconds)
    return cxml.verb("Dial", target, timeout=seconds)


@signalwire.instant(
    "Watch calls",
    hook=HookDef(
        verify=SIGNED,
        dedup=incoming_call,
        order_key=call_of,
        register=CALLS,
        settings=VoiceSettings,
        answer=voice_answer,
        answer_to=voice_answer_to,
        away=voice_away,
        may_respond=True,
        backfill=partial(missed_calls, CALLED),
    ),
)
def watch_calls(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a call or fax comes in, and answers it as its settings say.

    A responder in the scenario may answer with cXML of its own; SignalWire waits five seconds.
    """
    return [read(delivery)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """What senders of messages get back."""

    signing_key: SigningKey
    number: Number = ""
    answer: Annotated[
        Literal["nothing", "reply", "own"],
        Field(label="Answer", help="nothing · reply with a text · own cXML."),
    ] = "nothing"
    text: Annotated[str, Field(label="Reply", multiline=True)] = ""
    own: Annotated[
        str,
        Field(
            label="Own cXML",
            help="A whole document, `<Response>…</Response>`.",
            multiline=True,
            advanced=True,
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses a choice without what it needs."""
        check_secret("signing_key", self.signing_key)
        if self.answer == "reply" and not self.text.strip():
            raise BundleInvalid(field="text", reason="there is nothing to reply; give a text")
        if self.answer == "own":
            cxml.check_own("own", self.own)


def message_answer(settings: Mapping[str, Any]) -> Answer:
    """What a sender gets back."""
    if settings.get("answer") == "own":
        return cxml.answered(str(settings.get("own") or cxml.EMPTY).strip())
    if settings.get("answer") == "reply":
        return cxml.answered(cxml.document(cxml.verb("Message", str(settings.get("text") or ""))))
    return cxml.answered(cxml.EMPTY)


def message_away(delivery: Delivery, settings: Mapping[str, Any]) -> Answer:
    """503, at both addresses: nobody waits to hear something, and SignalWire's log shows it."""
    del delivery, settings
    return cxml.answered(cxml.EMPTY, 503, {"retry-after": "5"})


@signalwire.instant(
    "Watch messages",
    hook=HookDef(
        verify=SIGNED,
        dedup=incoming_message,
        order_key=call_of,
        register=MESSAGES,
        settings=MessageSettings,
        answer=message_answer,
        away=message_away,
        may_respond=True,
        backfill=partial(missed_messages, MESSAGED),
    ),
)
def watch_messages(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a message comes in; its files are rows of *Media*.

    A responder in the scenario may answer with cXML of its own; SignalWire waits five seconds.
    """
    return [read(delivery)]
