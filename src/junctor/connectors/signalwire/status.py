"""How calls, messages and recordings go on: SignalWire's status callbacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal

from junctor.connectors.signalwire import cxml
from junctor.connectors.signalwire.account import signalwire
from junctor.connectors.signalwire.deliveries import (
    SIGNED,
    call_of,
    call_status,
    message_status,
    read,
    recording_status,
)
from junctor.connectors.signalwire.handlers import CALL_ENDED, CALL_STATUS
from junctor.connectors.signalwire.hooks import Number, SigningKey
from junctor.connectors.signalwire.missed import (
    missed_call_states,
    missed_message_states,
    missed_recordings,
)
from junctor.language.connector import Bundle, Delivery, Field, HookDef
from junctor.language.verifiers import check_secret

__all__ = ["CallStatusSettings", "MessageStatusSettings", "RecordingSettings"]

_told = partial(HookDef, verify=SIGNED, order_key=call_of, answer=cxml.answered(cxml.EMPTY))

Everything = Annotated[
    bool,
    Field(
        label="After a downtime, tell of all",
        help="SignalWire doesn't list what named this address as its status callback. On: after a "
        "downtime the state of everything in the project is told. Off: only that of calls to "
        "numbers that send here.",
        advanced=True,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """What every status callback must be signed with."""

    signing_key: SigningKey

    def __post_init__(self) -> None:
        """Refuses a key that would let nobody in."""
        check_secret("signing_key", self.signing_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatusSettings(Keyed):
    """Which changes to tell of. The address goes into the status callback of a call, of a number
    or of an application.
    """

    number: Number = ""
    statuses: Annotated[
        list[
            Literal[
                "queued", "initiated", "ringing", "in-progress", "answered", "completed", "busy",
                "failed", "no-answer", "canceled",
            ]
        ],
        Field(label="Statuses", help="None: all. A number tells of completed and failed only."),
    ] = field(default_factory=list)  # fmt: skip
    everything: Everything = False


@signalwire.instant(
    "Watch call status",
    hook=_told(
        dedup=call_status,
        register=CALL_STATUS,
        settings=CallStatusSettings,
        backfill=partial(missed_call_states, CALL_ENDED),
    ),
)
def watch_call_status(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a call rings, is answered or ends: with its duration and quality once it has."""
    return _wanted(delivery, "CallStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatusSettings(Keyed):
    """Which changes to tell of. The address goes into the status callback of a message."""

    statuses: Annotated[
        list[
            Literal[
                "queued", "sending", "sent", "delivered", "undelivered", "failed", "receiving",
                "received",
            ]
        ],
        Field(label="Statuses", help="None: all."),
    ] = field(default_factory=list)  # fmt: skip
    everything: Everything = False


@signalwire.instant(
    "Watch message status",
    hook=_told(
        dedup=message_status,
        settings=MessageStatusSettings,
        backfill=missed_message_states,
    ),
)
def watch_message_status(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a message that was sent is delivered or fails, with the reason."""
    return _wanted(delivery, "MessageStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings(Keyed):
    """The address goes into the recording status callback of a call."""

    statuses: Annotated[
        list[Literal["in-progress", "completed", "absent"]],
        Field(label="Statuses", help="None: all."),
    ] = field(default_factory=list)
    everything: Everything = False


@signalwire.instant(
    "Watch recordings",
    hook=_told(
        dedup=recording_status,
        settings=RecordingSettings,
        backfill=missed_recordings,
    ),
)
def watch_recordings(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a recording is ready, with its address, or its transcription is."""
    return _wanted(delivery, "RecordingStatus")


def _wanted(delivery: Delivery, name: str) -> list[Bundle]:
    """The event, unless the settings name other states; one without a state is always given."""
    found = read(delivery)
    wanted = delivery.settings.get("statuses") or ()
    return [found] if not wanted or found.get(name) in {None, *wanted} else []
