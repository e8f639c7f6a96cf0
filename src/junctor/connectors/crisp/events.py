"""What Crisp tells by itself: messages, conversations, people and whatever else happens.

A *plugin* hook is set up in the Marketplace and signed. A *website* hook is set up by hand in the
website's settings (Advanced, Web Hooks) and is not: put a key of your own into its address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

import msgspec

from junctor.connectors.crisp.account import crisp
from junctor.connectors.crisp.assumptions import HOOK_MAX_AGE
from junctor.connectors.crisp.missed import BEGUN, CREATED, LISTED, SENT, UPDATED, missed
from junctor.connectors.crisp.reading import number
from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Delivery, Field, HookDef, Secret
from junctor.language.verifiers import (
    check_secret,
    chosen,
    hmac_sha256,
    if_set,
    key_in_query,
    max_age,
)

__all__ = ["CONVERSATION_EVENTS", "MESSAGE_EVENTS", "PEOPLE_EVENTS", "signed_text"]

TIMESTAMP = "x-crisp-request-timestamp"
SIGNATURE = "x-crisp-signature"
SECRET, KEY = "secret", "key"
"""Names in a hook's settings."""

MessageEvent = Literal["message:send", "message:received", "message:updated", "message:removed"]
MESSAGE_EVENTS: tuple[str, ...] = get_args(MessageEvent)
CONVERSATION_EVENTS = (
    "session:request:initiated",
    "session:removed",
    "session:set_state",
    "session:set_routing",
    "session:set_inbox",
    "session:set_block",
    "session:set_opened",
    "session:set_closed",
    "session:set_subject",
    "session:set_segments",
    "session:set_participants",
    "session:set_mentions",
    "session:set_nickname",
    "session:set_email",
    "session:set_phone",
    "session:set_address",
    "session:set_avatar",
    "session:set_data",
    "session:sync:rating",
    "session:sync:topic",
    "session:update_verify",
)
PEOPLE_EVENTS = (
    "people:profile:created",
    "people:profile:updated",
    "people:profile:removed",
    "people:bind:session",
    "people:sync:profile",
    "people:import:progress",
    "people:import:done",
)
Source = Literal["plugin", "website"]


def signed_text(delivery: Delivery) -> bytes:
    """What Crisp signs: ``[timestamp;body]``, over the raw body (its Go library; that for Node
    builds the same text from the parsed one).
    """
    stamp = delivery.headers.get(TIMESTAMP, "").strip()
    return b"[" + stamp.encode("utf-8", "replace") + b";" + delivery.body + b"]"


def _seconds(delivery: Delivery) -> float | None:
    text = delivery.headers.get(TIMESTAMP, "").strip()
    if not text.isdecimal():
        return None
    # Milliseconds; a vendor's switch to seconds would not be noticed otherwise.
    return int(text) / 1000 if len(text) > 11 else float(text)


VERIFY = chosen(
    setting="source",
    default="plugin",
    plugin=max_age(
        hmac_sha256(header=SIGNATURE, secret=SECRET, over=signed_text),
        HOOK_MAX_AGE,
        timestamp=_seconds,
        setting="max_age",
    ),
    website=if_set(key=key_in_query(parameter="key", secret=KEY)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Where the events come from, and which of them to watch."""

    source: Annotated[
        Source,
        Field(
            label="Set up as",
            help="plugin: a hook of a Marketplace plugin, which is signed; website: a web hook of "
            "the website's settings, which is not.",
        ),
    ] = "plugin"
    secret: Annotated[
        Secret | None,
        Field(label="Signing secret", help="Of a plugin's hook; without it all are refused."),
    ] = None
    key: Annotated[
        Secret | None,
        Field(
            label="Key",
            help="Of a website's hook: 8 characters or more that you put into its address as "
            "?key=…; empty: only the address itself is secret.",
        ),
    ] = None
    website_id: Annotated[
        str,
        Field(label="Website ID", help="Only events of this website; empty: of all."),
    ] = ""
    max_age: Annotated[
        int,
        Field(
            label="Age",
            help="Seconds that a signed delivery may be old.",
            minimum=1,
            maximum=86_400,
            advanced=True,
        ),
    ] = HOOK_MAX_AGE

    def __post_init__(self) -> None:
        """Refuses secrets that would let nobody in."""
        check_secret(SECRET, self.secret)
        check_secret(KEY, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings(HookSettings):
    """Which messages to watch. The address goes into Crisp as a plugin's or a website's hook."""

    events: Annotated[
        list[MessageEvent],
        Field(
            label="Events",
            help="send: the visitor wrote; received: an operator did; none chosen: visitors' new "
            "messages.",
        ),
    ] = field(default_factory=lambda: ["message:send"])
    types: Annotated[
        list[str],
        Field(
            label="Message types",
            help="Such as text or file; none: all.",
            example=["text"],
            advanced=True,
        ),
    ] = field(default_factory=list)


def _check_names(names: Iterable[str], prefix: str) -> None:
    """`BundleInvalid` on a name of another kind, at which nothing would ever start."""
    for name in names:
        if not name.startswith(prefix) or name == prefix:
            raise BundleInvalid(
                field="events", reason=f"{name!r} is no such event; their names begin with {prefix}"
            )


def _names(*examples: str) -> Any:
    return Field(
        label="Events",
        help=f"Names of events, such as {', '.join(examples)}; none: all of this kind.",
        example=list(examples),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings(HookSettings):
    """Which changes to watch. The address goes into Crisp as a plugin's or a website's hook."""

    events: Annotated[
        list[str],
        _names("session:request:initiated", "session:set_state", "session:sync:rating"),
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Also refuses events of another kind."""
        HookSettings.__post_init__(self)
        _check_names(self.events, "session:")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings(HookSettings):
    """Which changes to watch. The address goes into Crisp as a plugin's or a website's hook."""

    events: Annotated[list[str], _names("people:profile:created", "people:profile:updated")] = (
        field(default_factory=list)
    )

    def __post_init__(self) -> None:
        """Also refuses events of another kind."""
        HookSettings.__post_init__(self)
        _check_names(self.events, "people:")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings(HookSettings):
    """Which events to watch. The address goes into Crisp as a plugin's or a website's hook."""

    events: Annotated[list[str], _names("campaign:dispatched", "email:subscribe")] = field(
        default_factory=list
    )


def _payload(delivery: Delivery) -> Bundle:
    found = delivery.json()
    if not isinstance(found, dict):
        raise DataError(reason="Crisp's event is no collection of fields")
    return found


def _read(delivery: Delivery) -> tuple[Bundle, Bundle]:
    """The event and its data, empty if there is nothing to read."""
    try:
        found = _payload(delivery)
    except DataError:
        return {}, {}
    data = found.get("data")
    return found, data if isinstance(data, dict) else {}


def dedup(delivery: Delivery) -> str | None:
    """An event's own mark: Crisp numbers messages, but not events."""
    event, data = _read(delivery)
    name = event.get("event")
    if not name or not data:
        return None
    if name in {"message:send", "message:received", "message:removed"} and data.get("fingerprint"):
        return f"{name}:{data.get('session_id')}:{data['fingerprint']}"
    if name == BEGUN and data.get("session_id"):
        return f"{name}:{data['session_id']}"  # once in a conversation's life
    if name == CREATED and data.get("people_id"):
        return f"{name}:{data['people_id']}"
    update = data.get("update")
    stamp: Any = update.get("updated_at") if isinstance(update, dict) else None
    if name == UPDATED and data.get("people_id") and number(stamp):
        return f"{name}:{data['people_id']}:{int(stamp)}"
    if event.get("timestamp") is None:
        return None
    # A delivery that is tried again has the event's own time; only its headers change.
    content = msgspec.json.encode([event["timestamp"], data], order="deterministic")
    return f"{name}:{hashlib.sha256(content).hexdigest()[:32]}"


def order_key(delivery: Delivery) -> str | None:
    """The conversation, or else the person: what belongs together stays in order."""
    _, data = _read(delivery)
    found = data.get("session_id") or data.get("people_id")
    return str(found) if found else None


def _hook(settings: type[HookSettings], *usual: str) -> HookDef:
    return HookDef(
        verify=VERIFY,
        dedup=dedup,
        order_key=order_key,
        settings=settings,
        backfill=missed(usual),
    )


def _wanted(delivery: Delivery, known: Callable[[str], bool]) -> list[Bundle]:
    """The event, if it is of the kind, among the chosen ones, and of the chosen website."""
    event = _payload(delivery)
    settings = delivery.settings
    name = str(event.get("event") or "")
    chosen_names = settings.get("events") or ()
    website = settings.get("website_id")
    if website and event.get("website_id") != website:
        return []
    if name and not (name in chosen_names if chosen_names else known(name)):
        return []
    return [event]


@crisp.instant("Watch messages", hook=_hook(MessageSettings, SENT))
def watch_messages(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a visitor or an operator writes a message, or when one is edited or removed.

    Messages written in a downtime are fetched afterwards. Those edited or removed in it are not:
    Crisp does not say when.
    """
    types = delivery.settings.get("types") or ()
    found = _wanted(delivery, lambda name: name == "message:send")
    return [
        event
        for event in found
        if not types or not event.get("data") or event["data"].get("type") in types
    ]


@crisp.instant("Watch conversations", hook=_hook(ConversationSettings, BEGUN))
def watch_conversations(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a conversation begins or changes: state, assignment, rating, person, segments.

    Conversations begun in a downtime are fetched afterwards. Changes and ratings of it are not:
    Crisp lists none, and of a state it does not say since when.
    """
    return _wanted(delivery, lambda name: name in CONVERSATION_EVENTS)


@crisp.instant("Watch people", hook=_hook(PeopleSettings, CREATED, UPDATED))
def watch_people(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a people profile is created, changed or removed.

    Profiles created or changed in a downtime are fetched afterwards, of several changes of one the
    last. Removed ones are not: Crisp lists none.
    """
    return _wanted(delivery, lambda name: name in PEOPLE_EVENTS)


@crisp.instant("Watch events", hook=_hook(EventSettings, *LISTED))
def watch_events(delivery: Delivery) -> Iterable[Bundle]:
    """Starts at any event of Crisp's: campaigns, subscriptions, calls, plugins and others.

    What happened in a downtime is fetched afterwards as far as Crisp lists it: messages written,
    conversations begun, people profiles created or changed.
    """
    return _wanted(delivery, lambda _name: True)
