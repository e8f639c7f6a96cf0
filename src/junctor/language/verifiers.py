"""How a hook knows that a delivery is genuine: values for `connector.HookDef.verify`.

Each verifier looks at the raw body, never at a re-serialised one, compares in constant time, and
fails closed: no secret, no header or a malformed signature is `errors.Unauthorized`, whose message
says what was wrong with the delivery and nothing about the secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from junctor.errors import BundleInvalid, Unauthorized
from junctor.language.connector import Delivery, Verifier

__all__ = [
    "BY_MAIL",
    "api_key",
    "by_mail",
    "caller_of",
    "check_networks",
    "check_public_key",
    "check_secret",
    "chosen",
    "ed25519",
    "from_networks",
    "hmac_sha256",
    "if_set",
    "key_in_query",
    "key_in_url",
    "max_age",
    "signed_address",
]

SHORTEST_SECRET = 8
"""Characters below which a secret protects nothing and counts as missing."""


BY_MAIL = "(mail)"
"""The method of a delivery that came by mail; nothing that HTTP can carry."""


def by_mail(*, senders: str) -> Verifier:
    """Only by mail. ``senders`` is the key, in the settings, of those it may come from: addresses,
    or whole domains as ``@example.com``; none listed: from anyone. It is the envelope's sender that
    counts, and that is as easy to forge as mail is: a filter, not a proof.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        if delivery.method != BY_MAIL:
            raise Unauthorized("This hook is only sent mail.")
        allowed = {str(entry).strip().lower() for entry in settings.get(senders) or ()}
        sender = delivery.headers.get("mail-from", "").lower()
        if allowed and not {sender, "@" + sender.rpartition("@")[2]} & allowed:
            raise Unauthorized("This hook takes no mail from that sender.")

    return verify


def key_in_url() -> Verifier:
    """The unguessable address is the key; whoever knows it may deliver."""

    def verify(_delivery: Delivery, _settings: Mapping[str, Any]) -> None:
        return None

    return verify


def hmac_sha256(
    *,
    header: str,
    secret: str,
    prefix: str = "",
    encoding: Literal["hex", "base64"] = "hex",
    over: Callable[[Delivery], bytes] = lambda delivery: delivery.body,
) -> Verifier:
    """An HMAC-SHA-256 of the body in ``header``; ``secret`` is the key's name in the settings.

    ``prefix`` is what stands before the signature (``sha256=``) and is then required. ``over``
    gives what is signed, where that is more than the raw body.
    """
    name = header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _secret(settings, secret)
        given = _decoded(_header(delivery, name, prefix), encoding, name)
        expected = hmac.digest(key.encode(), over(delivery), "sha256")
        if not hmac.compare_digest(given, expected):
            raise _refused(f"the signature in {name} does not match the body")

    return verify


def signed_address(
    *, headers: tuple[str, ...], sha256_header: str, secret: str, body_hash: str = "bodySHA256"
) -> Verifier:
    """A signature that covers the address as well as the body, as Twilio's and SignalWire's do.

    In one of ``headers``: Base64 of the HMAC-SHA-1 of the address followed by the form's names and
    values, sorted by name; of a body that is no form, its hash is the parameter ``body_hash`` of
    the query, and so is signed with it. Or hex of the HMAC-SHA-1 of the address followed by the raw
    body; of SHA-256, in ``sha256_header``. ``secret`` is the key's name in the settings.
    """
    names = tuple(name.lower() for name in headers)
    newer = sha256_header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _secret(settings, secret).encode()
        given = [delivery.headers[name].strip() for name in names if delivery.headers.get(name)]
        strong = delivery.headers.get(newer, "").strip()
        if not given and not strong:
            raise _refused(f"the header {headers[0]} is missing")
        form = _signed_form(delivery, body_hash)
        good = False
        for address in _addresses(delivery.url):
            raw = address.encode() + delivery.body
            good |= _same(hmac.digest(key, raw, "sha256").hex(), strong)
            plain = hmac.digest(key, raw, "sha1").hex()
            good |= any(_same(plain, each) for each in given)
            if form is not None:
                made = hmac.digest(key, address.encode() + form, "sha1")
                text = base64.b64encode(made).decode()
                good |= any(_same(text, each) for each in given)
        if not good:
            raise _refused(
                f"the signature in {headers[0] if given else sha256_header} matches neither the "
                "body nor the address that it was sent to (JUNCTOR_PUBLIC_URL must be ours as the "
                "vendor knows it)"
            )

    return verify


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _signed_form(delivery: Delivery, body_hash: str) -> bytes | None:
    """What is signed of a body, beside the address; ``None``: it could be anything."""
    if not delivery.body:
        return b""
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(delivery.body.decode("utf-8", "replace"), keep_blank_values=True)
        # Stable: a repeated name keeps the order of its values.
        pairs.sort(key=lambda pair: pair[0])
        return "".join(name + value for name, value in pairs).encode()
    said = dict(delivery.query).get(body_hash, "")
    return b"" if _same(hashlib.sha256(delivery.body).hexdigest(), said) else None


def _addresses(url: str) -> tuple[str, ...]:
    """The address with and without its scheme's own port, which senders write as they like."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    if port and host.endswith(port):
        other = parts._replace(netloc=host[: -len(port)])
    elif parts.port is None and port:
        other = parts._replace(netloc=host + port)
    else:
        return (url,)
    return (url, urlunsplit(other))


def ed25519(*, header: str, public_key: str, setting: str = "public_key") -> Verifier:
    """An Ed25519 signature (Base64) of the body in ``header``.

    ``public_key`` is the vendor's, as Base64 of its SPKI (DER) form or as PEM; a key of the same
    form in the hook's settings under ``setting`` takes its place.
    """
    name = header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _public_key(str(settings.get(setting) or public_key))
        signature = _decoded(_header(delivery, name, ""), "base64", name)
        try:
            key.verify(signature, delivery.body)
        except InvalidSignature as error:
            raise _refused(f"the signature in {name} does not match the body") from error

    return verify


def api_key(*, header: str, secret: str, prefix: str = "") -> Verifier:
    """A shared key, sent as it is in ``header``; ``secret`` is its name in the settings."""
    name = header.lower()

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _secret(settings, secret)
        given = _header(delivery, name, prefix)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), key.encode()):
            raise _refused(f"the key in {name} is wrong")

    return verify


def key_in_query(*, parameter: str, secret: str) -> Verifier:
    """A shared key as a parameter of the address, ``?key=…``; ``secret`` is its name in the
    settings. For vendors that sign nothing and let the address be typed.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        key = _secret(settings, secret)
        given = [value for name, value in delivery.query if name == parameter]
        if len(given) != 1:
            raise _refused(f"the address must hold the parameter {parameter} once")
        if not hmac.compare_digest(given[0].encode("utf-8", "replace"), key.encode()):
            raise _refused(f"the key in the address ({parameter}) is wrong")

    return verify


def chosen(*, setting: str, default: str, **checks: Verifier) -> Verifier:
    """The check that the hook's settings choose by its name here; for vendors that send in several
    ways. A choice that there is not refuses everything.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        choice = str(settings.get(setting) or default)
        check = checks.get(choice)
        if check is None:
            raise _refused(f"the hook's setting {setting} is {choice!r}, which there is not")
        check(delivery, settings)

    return verify


def max_age(
    verifier: Verifier,
    seconds: float,
    *,
    timestamp: Callable[[Delivery], float | None],
    setting: str = "",
) -> Verifier:
    """The same verifier, which also refuses deliveries signed too long ago or in the future.

    ``timestamp`` gives the sender's time in seconds since 1970, from what is signed. It is compared
    with the time the delivery was received. A number in the hook's settings under ``setting`` takes
    the place of ``seconds``.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        verifier(delivery, settings)
        allowed = float((settings.get(setting) if setting else None) or seconds)
        try:
            sent = timestamp(delivery)
        except Exception as error:  # whatever a stranger's body does to it
            raise _refused("it carries no readable time") from error
        if sent is None or not abs(delivery.received_at.timestamp() - sent) <= allowed:
            raise _refused(f"its time is missing or more than {allowed:g} s away")

    return verify


def if_set(**checks: Verifier) -> Verifier:
    """Every check whose setting (its name here) is filled in; with none, the address is the key.

    For hooks whose user decides how strict they are.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        for setting, check in checks.items():
            if settings.get(setting):
                check(delivery, settings)

    return verify


def from_networks(*, setting: str) -> Verifier:
    """Only callers whose address is in one of the networks (``setting`` names the list).

    The address is `Delivery.remote`: who connected, or whom a trusted proxy says it was.
    """

    def verify(delivery: Delivery, settings: Mapping[str, Any]) -> None:
        wanted = _networks(tuple(settings.get(setting) or ()))
        address = _address(delivery.remote)
        if address is None or not any(address in network for network in wanted):
            raise _refused(f"the address {delivery.remote or '(unknown)'} is not on the list")

    return verify


def check_networks(field: str, values: Iterable[str]) -> None:
    """For a form's ``__post_init__``: `BundleInvalid` on what is no address and no network."""
    for value in values:
        try:
            _networks((value,))
        except ValueError as error:
            raise BundleInvalid(
                field=field,
                reason=f"{value!r} is no address or network; write 203.0.113.7, 203.0.113.0/24 or "
                "2001:db8::/32",
            ) from error


def caller_of(client: str, forwarded: str, trusted: tuple[str, ...]) -> str:
    """The address of who called: ``client`` connected, and ``forwarded`` is the header
    ``X-Forwarded-For`` that it sent.

    The header is believed as far as trusted proxies wrote it: from its end, the first address that
    is no trusted proxy's.
    """
    if not trusted:
        return client
    networks = _networks(trusted)
    for each in (client, *reversed(forwarded.split(",") if forwarded else ())):
        text = each.strip()
        address = _address(text)
        if address is None:
            return client
        client = str(address)
        if not any(address in network for network in networks):
            break
    return client


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def check_secret(field: str, value: str | None) -> None:
    """For a form's ``__post_init__``: `BundleInvalid` on a secret that would let nobody in.

    The value is never told.
    """
    if value is not None and len(value) < SHORTEST_SECRET:
        raise BundleInvalid(
            field=field,
            reason=f"it has {len(value)} characters; give it at least {SHORTEST_SECRET}",
        )


def check_public_key(field: str, value: str) -> None:
    """For a form's ``__post_init__``: `BundleInvalid` on a key that `ed25519` could not use."""
    if not value:
        return
    try:
        _public_key(value)
    except Unauthorized as error:
        raise BundleInvalid(
            field=field,
            reason=f"{error.params['reason']}: {value[:40]!r}; give an Ed25519 public key as PEM, "
            "or its SubjectPublicKeyInfo (DER) in base64",
        ) from error


def _refused(reason: str) -> Unauthorized:
    return Unauthorized(f"The delivery was refused: {reason}.", reason=reason)


def _secret(settings: Mapping[str, Any], name: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str) or len(value) < SHORTEST_SECRET:
        raise _refused(f"the hook has no secret; set '{name}' in its settings")
    return value


def _header(delivery: Delivery, name: str, prefix: str) -> str:
    value = delivery.headers.get(name, "").strip()
    if not value:
        raise _refused(f"the header {name} is missing")
    if not value.startswith(prefix):
        raise _refused(f"the header {name} does not start with {prefix}")
    return value.removeprefix(prefix)


def _decoded(text: str, encoding: str, name: str) -> bytes:
    try:
        if encoding == "hex":
            return binascii.unhexlify(text.encode("ascii"))
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _refused(f"the signature in {name} is not {encoding}") from error


@lru_cache(maxsize=64)
def _public_key(text: str) -> Ed25519PublicKey:
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(base64.b64decode("".join(lines), validate=True))
    except Exception as error:  # the library has several kinds
        raise _refused("the hook's public key can't be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _refused("the hook's public key is not an Ed25519 key")
    return key
