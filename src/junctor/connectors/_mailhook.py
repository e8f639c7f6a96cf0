"""Mailhooks: a mail address of your own that starts a scenario. Part of the connector `gateway`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated

from junctor.language.connector import Bundle, Connector, Delivery, Field, HookDef
from junctor.language.mail import read
from junctor.language.verifiers import BY_MAIL, by_mail

__all__ = ["MailhookSettings", "add_mailhook", "custom_mailhook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailhookSettings:
    """Whose mail a mailhook takes."""

    senders: Annotated[
        list[str],
        Field(
            label="Senders",
            help="Addresses, or domains as `@example.com`; empty: anyone who knows the address.",
        ),
    ] = dataclass_field(default_factory=list)


def custom_mailhook(delivery: Delivery) -> Iterable[Bundle]:
    """Starts when a mail comes to its address; `junctor hooks show` says which that is.

    Gives subject, text, html, from, to, cc, date, messageId, headers, attachments and so on.
    """
    return [read(delivery.body)]


def _dedup(delivery: Delivery) -> str | None:
    return delivery.headers.get("message-id") if delivery.method == BY_MAIL else None


def add_mailhook(gateway: Connector) -> None:
    """Registers the trigger."""
    gateway.instant(
        "Custom mailhook",
        name="CustomMailHook",
        aliases=("gateway:CustomMailhook",),
        hook=HookDef(
            verify=by_mail(senders="senders"),
            dedup=_dedup,
            settings=MailhookSettings,
            mail=True,
        ),
    )(custom_mailhook)
