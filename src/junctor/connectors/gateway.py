"""Webhooks of your own: an address that anything may call, and the answer to the caller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import parse_qsl

import msgspec

from junctor.connectors._mailhook import add_mailhook
from junctor.errors import BundleInvalid, DataError
from junctor.language.calls import header_rows, query_rows
from junctor.language.connector import Answer, Bundle, Connector, Delivery, Field, HookDef, Secret
from junctor.language.learned import learned
from junctor.language.structures import conform, is_spec
from junctor.language.values import plain, to_text
from junctor.language.verifiers import (
    api_key,
    check_networks,
    check_secret,
    from_networks,
    hmac_sha256,
    if_set,
)

__all__ = ["gateway"]

gateway = Connector(name="gateway", label="Webhooks")

_MOST_HEADERS = 16
_LONGEST_NAME, _LONGEST_VALUE = 256, 4096
_OURS = frozenset({"__IMTHEADERS__", "__IMTMETHOD__"})
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})
"""Headers that are the server's own business."""
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """What a custom webhook takes, and whom it believes. Every secret filled in must match."""

    headers: Annotated[
        bool, Field(label="Get request headers", help="Adds them as `__IMTHEADERS__`.")
    ] = False
    method: Annotated[
        bool, Field(label="Get request method", help="Adds it as `__IMTMETHOD__`.")
    ] = False
    stringify: Annotated[
        bool,
        Field(label="JSON pass-through", help="Gives the body as one text in `value`, unread."),
    ] = False
    api_key: Annotated[
        Secret | None,
        Field(label="API key", help="Callers send it in the header `x-make-apikey`."),
    ] = None
    networks: Annotated[
        list[str] | None,
        Field(
            label="IP addresses",
            help="Only these addresses and networks may call, such as `203.0.113.0/24`; "
            "empty: all.",
        ),
    ] = None
    structure: Annotated[
        list[dict[str, Any]] | None,
        Field(label="Structure", help="The fields of a call, typed or learned from one."),
    ] = None
    validation: Annotated[
        Literal["off", "types", "strict"],
        Field(
            label="Refuse what does not fit the structure",
            help="`types`: required fields must be there and every field of its type; `strict`: "
            "and there are no others. Callers are told with status 400.",
        ),
    ] = "off"
    learning: Annotated[
        bool,
        Field(label="Learn the structure", help="From the next call; then it turns itself off."),
    ] = False
    signing_secret: Annotated[
        Secret | None,
        Field(
            label="Signing secret",
            help="Callers send the hex HMAC-SHA256 of the body in `x-signature-256`, "
            "after `sha256=`.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuses secrets too short to believe, and what is no network or no structure."""
        check_networks("networks", self.networks or ())
        if self.structure and not is_spec(self.structure):
            raise BundleInvalid(
                field="structure", reason="it must be a list of fields, each with name and type"
            )
        if self.validation != "off" and not self.structure:
            raise BundleInvalid(
                field="validation",
                reason="there is no structure to fit; type one, or let the hook learn it first",
            )
        check_secret("api_key", self.api_key)
        check_secret("signing_secret", self.signing_secret)


def _validates(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("structure")) and settings.get("validation") in {"types", "strict"}


def _check(delivery: Delivery) -> None:
    settings = delivery.settings
    if not _validates(settings):
        return
    bundle = {name: value for name, value in _bundle(delivery).items() if name not in _OURS}
    try:
        conform(bundle, settings["structure"], strict=settings["validation"] == "strict")
    except BundleInvalid as error:
        raise DataError(error.message, **error.params) from error


@gateway.instant(
    "Custom webhook",
    name="CustomWebHook",
    aliases=("gateway:CustomWebhook",),
    hook=HookDef(
        verify=if_set(
            networks=from_networks(setting="networks"),
            api_key=api_key(header="x-make-apikey", secret="api_key"),  # noqa: S106  # the setting's name
            signing_secret=hmac_sha256(
                header="x-signature-256",
                secret="signing_secret",  # noqa: S106  # the setting's name
                prefix="sha256=",
            ),
        ),
        settings=HookSettings,
        check=_check,
        learn=lambda delivery: learned(_bundle(delivery)),
        inspects=lambda settings: bool(settings.get("learning")) or _validates(settings),
        at_door=frozenset({"networks", "structure", "validation", "learning"}),
        may_respond=True,
    ),
)
def custom_webhook(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when its address is called; query, form and JSON become one bundle.

    The query wins over the body, repeated names become arrays, other text is in `value`, and a JSON
    array is in `array`.
    """
    return [_bundle(delivery)]


def _bundle(delivery: Delivery) -> Bundle:
    settings = delivery.settings
    bundle: Bundle = {}
    if settings.get("stringify"):
        bundle["value"] = _text(delivery.body, delivery.headers.get("content-type", ""))
    else:
        bundle.update(_fields(delivery))
    bundle.update(_grouped(delivery.query))
    if settings.get("method"):
        bundle["__IMTMETHOD__"] = delivery.method
    if settings.get("headers"):
        hidden = {"authorization", "cookie", "x-make-apikey", "x-signature-256"}
        bundle["__IMTHEADERS__"] = [
            {"name": name, "value": value}
            for name, value in delivery.headers.items()
            if name not in hidden
        ]
    return bundle


def _fields(delivery: Delivery) -> Bundle:
    declared = delivery.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    if not delivery.body:
        return {}
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(_text(delivery.body, declared), keep_blank_values=True)
        return _grouped(pairs)
    if kind == "multipart/form-data":
        return _grouped(_parts(delivery.body, declared))
    if kind == "application/json" or kind.endswith("+json"):
        return _document(delivery.json())
    if delivery.body.lstrip()[:1] in {b"{", b"["}:
        try:
            return _document(delivery.json())
        except DataError:
            pass  # it only looked like JSON, and nobody said it was
    return {"value": _text(delivery.body, declared)}


def _document(found: Any) -> Bundle:
    if isinstance(found, dict):
        return found
    return {"array": found} if isinstance(found, list) else {"value": found}


def _grouped(pairs: Iterable[tuple[str, Any]]) -> Bundle:
    bundle: Bundle = {}
    repeated: set[str] = set()
    for name, value in pairs:
        if name in repeated:
            bundle[name].append(value)
        elif name in bundle:
            bundle[name] = [bundle[name], value]
            repeated.add(name)
        else:
            bundle[name] = value
    return bundle


def _header(text: str) -> Message:
    message = Message()
    message["content-type"] = text
    return message


def _text(body: bytes, content_type: str) -> str:
    charset = _header(content_type).get_content_charset("utf-8")
    try:
        return body.decode(charset, errors="replace")
    except LookupError:
        return body.decode("utf-8", errors="replace")


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, Any]]:
    boundary = _header(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise DataError(reason="the multipart body names no boundary; send one in content-type")
    # Between delimiters stand a line break, headers, an empty line, the data, a line break.
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    for piece in pieces:
        if piece.startswith(b"--"):
            return
        head, found, data = piece.partition(b"\r\n\r\n")
        if not found:
            raise DataError(reason="a part of the multipart body has no end of headers")
        yield _part(head, data)
    raise DataError(reason="the multipart body is cut off: its last boundary is missing")


def _part(head: bytes, data: bytes) -> tuple[str, Any]:
    message = Message()
    for line in head.decode("utf-8", errors="replace").split("\r\n"):
        field, _, value = line.partition(":")
        if value:
            message[field.strip()] = value.strip()
    name = message.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise DataError(reason="a part of the multipart body has no name")
    filename = message.get_param("filename", header="content-disposition")
    if isinstance(filename, str):
        return name, {"name": filename, "mime": message.get_content_type(), "data": data}
    return name, data.decode(message.get_content_charset("utf-8"), errors="replace")


class _Header(TypedDict, total=False):
    key: Annotated[str, Field(label="Name", help="Of one header.")]
    value: Annotated[str, Field(label="Value", help="As text.")]


@gateway.module(
    "Webhook response",
    kind="responder",
    name="WebhookRespond",
    aliases=("gateway:WebhookResponse",),
)
def webhook_respond(
    status: Annotated[
        int, Field(label="Status", help="Of the HTTP answer.", minimum=200, maximum=599)
    ] = 200,
    body: Annotated[
        Any, Field(label="Body", help="Text as it is; anything else as JSON.", multiline=True)
    ] = "",
    headers: Annotated[list[_Header], Field(label="Headers", advanced=True)] = [],  # noqa: B006  # a form's default; `bind` copies it
) -> Answer:
    """Answers whoever called the webhook that started this run; the first answer counts."""
    if len(headers) > _MOST_HEADERS:
        raise BundleInvalid(field="headers", reason=f"more than {_MOST_HEADERS} are not sent")
    content, kind = _content(body)
    header_rows(headers)  # no line breaks
    sent = []
    for name, value in query_rows(headers):
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE:
            raise BundleInvalid(
                field="headers",
                reason=f"{name[:40]!r} can't be sent: a name has letters, digits and hyphens, up "
                f"to {_LONGEST_NAME} of them, and a value up to {_LONGEST_VALUE} characters",
            )
        if name.lower() not in _FRAMING:
            sent.append((name.lower(), value))
    if not any(name == "content-type" for name, _ in sent):
        sent.append(("content-type", kind))
    return Answer(status=int(status), headers=tuple(sent), body=content)


def _content(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, dict | list):
        return msgspec.json.encode(plain(body)), "application/json"
    return to_text(body).encode(), "text/plain; charset=utf-8"


add_mailhook(gateway)
