"""Mail, sent and filed: the asks of `language.asks.mail` done by `adapters.mail`."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import Any, TypeVar

from junctor.adapters.mail import Login
from junctor.errors import JunctorError, Misconfigured
from junctor.language.asks.mail import (
    CheckMail,
    CopyMail,
    DeleteMail,
    FetchMail,
    FindMails,
    FlagMail,
    ImapAccount,
    ListFolders,
    MoveMail,
    SaveDraft,
    SendMail,
    SmtpAccount,
)
from junctor.language.mail import addresses, compose, domain_of, read, recipients
from junctor.runtime.services import Asking

__all__ = ["check", "copy", "delete", "draft", "fetch", "find", "flag", "folders", "move", "send"]

A = TypeVar("A", SmtpAccount, ImapAccount)


async def check(ask: CheckMail, asking: Asking) -> None:
    """Logs in and out."""
    del ask
    form = asking.account.form if asking.account is not None else None
    if isinstance(form, SmtpAccount):
        await asking.tools.mail.check_smtp(_smtp(form))
        if form.imap_host:
            await asking.tools.mail.imap(_sent(form), lambda box: box.folders())
    else:
        await asking.tools.mail.imap(_imap(asking), lambda box: box.folders())


async def send(ask: SendMail, asking: Asking) -> dict[str, Any]:
    """See `SendMail`."""
    form = _form(asking, SmtpAccount)
    own = form.address or form.user
    mail = dataclasses.replace(ask.mail, to=(own,)) if ask.to_self else ask.mail
    mail = dataclasses.replace(mail, from_=mail.from_ or own)
    to = recipients(mail)
    # The envelope's sender gets the bounces: who signs it, else who it is from.
    signed = [text for text in (mail.sender, mail.from_) if text.strip()]
    if not signed:
        raise Misconfigured("The connection has no e-mail address, and the module no 'from'.")
    sender = addresses("sender" if mail.sender else "from", signed[:1])[0]
    message_id, date = _identity(asking, sender), datetime.now(UTC)
    raw = await asyncio.to_thread(compose, mail, message_id=message_id, date=date)
    await asking.tools.mail.send(_smtp(form), sender, to, raw)
    saved = False
    if ask.save and form.imap_host:
        kept = await asyncio.to_thread(compose, mail, message_id=message_id, date=date, bcc=True)
        try:
            await asking.tools.mail.imap(
                _sent(form), lambda box: box.append(form.sent_folder, kept, "\\Seen")
            )
            saved = True
        except JunctorError:
            saved = False  # it was sent: nothing that fails from here on may make it happen again
    return {"messageId": message_id, "accepted": list(to), "saved": saved}


async def folders(ask: ListFolders, asking: Asking) -> list[dict[str, str]]:
    """See `ListFolders`."""
    del ask
    return await asking.tools.mail.imap(_imap(asking), lambda box: box.folders())


async def find(ask: FindMails, asking: Asking) -> list[dict[str, Any]]:
    """See `FindMails`."""
    criteria = {
        "FROM": ask.sender,
        "TO": ask.to,
        "SUBJECT": ask.subject,
        "TEXT": ask.text,
        "HEADER Message-ID": ask.message_id,
    }
    wanted = {name: text for name, text in criteria.items() if text}

    def work(box: Any) -> list[dict[str, Any]]:
        uids = box.search(ask.folder, wanted, unseen=ask.unseen)
        return [{"uid": uid, "uidValidity": box.valid, "folder": ask.folder} for uid in uids]

    return await asking.tools.mail.imap(_imap(asking), work)


async def fetch(ask: FetchMail, asking: Asking) -> dict[str, Any] | None:
    """See `FetchMail`."""

    def work(box: Any) -> dict[str, Any] | None:
        found = box.fetch(ask.folder, ask.uid)
        if found is None:
            return None
        if ask.mark_seen:
            box.flag(ask.folder, ask.uid, {"\\Seen": True})
        raw, facts, truncated = found
        seen = {"seen": True} if ask.mark_seen else {}
        more = {"uid": ask.uid, "folder": ask.folder, "truncated": truncated}
        # Here, in the session's thread: a long one takes a second to read.
        return {**more, **read(raw), **facts, **seen}

    return await asking.tools.mail.imap(_imap(asking), work)


async def copy(ask: CopyMail, asking: Asking) -> None:
    """See `CopyMail`."""
    await asking.tools.mail.imap(
        _imap(asking), lambda box: box.copy(ask.folder, ask.uid, ask.target)
    )


async def move(ask: MoveMail, asking: Asking) -> None:
    """See `MoveMail`."""
    await asking.tools.mail.imap(
        _imap(asking), lambda box: box.move(ask.folder, ask.uid, ask.target)
    )


async def delete(ask: DeleteMail, asking: Asking) -> None:
    """See `DeleteMail`."""
    await asking.tools.mail.imap(
        _imap(asking), lambda box: box.delete(ask.folder, ask.uid, expunge=ask.expunge)
    )


async def flag(ask: FlagMail, asking: Asking) -> None:
    """See `FlagMail`."""
    flags = {"\\Seen": ask.seen, "\\Flagged": ask.flagged}
    wanted = {name: value for name, value in flags.items() if value is not None}
    await asking.tools.mail.imap(_imap(asking), lambda box: box.flag(ask.folder, ask.uid, wanted))


async def draft(ask: SaveDraft, asking: Asking) -> dict[str, str]:
    """See `SaveDraft`."""
    login = _imap(asking)
    mail = dataclasses.replace(
        ask.mail, from_=ask.mail.from_ or (login.user if "@" in login.user else "")
    )
    message_id = _identity(asking, mail.from_)
    raw = compose(mail, message_id=message_id, date=datetime.now(UTC), bcc=True)
    await asking.tools.mail.imap(login, lambda box: box.append(ask.folder, raw, "\\Draft"))
    return {"messageId": message_id}


def _identity(asking: Asking, sender: str) -> str:
    """A Message-ID that the same step of the same run has again, whatever the attempt."""
    at = asking.address
    where = f"{asking.run_id} {at.cycle} {at.module} {at.path}"
    mark = hashlib.sha256(where.encode()).hexdigest()[:32]
    return f"<{mark}@{domain_of(sender)}>"


def _form(asking: Asking, kind: type[A]) -> A:
    form = asking.account.form if asking.account is not None else None
    if not isinstance(form, kind):
        name = "smtp" if kind is SmtpAccount else "imap"
        raise Misconfigured(f"This module needs a connection of the kind 'email {name}'.")
    return form


def _smtp(form: SmtpAccount) -> Login:
    return Login(
        host=form.host,
        port=form.port,
        security=form.security,
        user=form.user,
        password=str.__str__(form.password or ""),
        verify=form.reject_unauthorized,
    )


def _sent(form: SmtpAccount) -> Login:
    return dataclasses.replace(
        _smtp(form), host=form.imap_host, port=form.imap_port, security=form.imap_security
    )


def _imap(asking: Asking) -> Login:
    form = _form(asking, ImapAccount)
    return Login(
        host=form.host,
        port=form.port,
        security=form.security,
        user=form.user,
        password=str.__str__(form.password),
        verify=form.reject_unauthorized,
    )
