"""The mail modules: what they ask for, and a watched folder from listing to bundles."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors._mailhook import custom_mailhook
from junctor.connectors.email import email
from junctor.connectors.email.watch import feed_attachments, whole
from junctor.connectors.gateway import gateway
from junctor.errors import BundleInvalid, NotFound
from junctor.language.asks.mail import FetchMail, FindMails, SaveDraft, SendMail
from junctor.language.connector import Ask, Request
from junctor.language.forms import bind, schema_of
from junctor.language.mail import Attachment
from junctor.language.polling import fresh
from junctor.runtime.effects import completed, perform
from junctor.runtime.registry import Registry
from tests.support import asynchronous
from tests.unit.connectors.test_gateway import delivery


def first(name: str, mapper: dict[str, Any], parameters: dict[str, Any] | None = None) -> Any:
    """What a module asks for first."""
    module = email.modules[name]
    return next(module.function(**bind(module, mapper, parameters or {})))


def test_a_mail_as_blueprints_have_it() -> None:
    asked = first(
        "ActionSendEmail",
        {
            "to": ["a@b.c", ""], "cc": [], "bcc": ["x@y.z"], "from": "", "sender": "",
            "html": "<b>", "subject": "s",
            "headers": [{"key": "X-A", "value": "1"}], "replyTo": "r@b.c",
            "priority": "low", "inReplyTo": "", "references": ["<1@a>"], "contentType": "html",
            "attachments": [{"fileName": "a.txt", "data": "text", "cid": ""}],
        },
        {"account": 1, "saveAfterSent": True},
    )  # fmt: skip
    assert isinstance(asked, SendMail)
    assert asked.save
    mail = asked.mail
    assert (mail.to, mail.bcc, mail.from_, mail.html, mail.text) == (
        ("a@b.c",), ("x@y.z",), "", "<b>", "",
    )  # fmt: skip
    assert (mail.priority, mail.reply_to, mail.references) == ("low", "r@b.c", ("<1@a>",))
    assert mail.attachments == (Attachment("a.txt", b"text"),)
    assert mail.headers == (("X-A", "1"),)


@pytest.mark.parametrize(
    ("mapper", "html", "text"),
    [
        ({"contentType": "html", "html": "<p>", "text": "p"}, "<p>", "p"),
        ({"contentType": "html", "text": "only"}, "", "only"),
        ({"contentType": "text", "text": "p", "html": "<p>"}, "", "p"),
        ({"contentType": "text", "html": "p"}, "", "p"),
        ({"contentType": "text/plain", "body": "p"}, "", "p"),
        ({"contentType": "html", "body": "<p>"}, "<p>", ""),
        ({"contents": [{"text": "a"}, {"text": "b"}]}, "", "a\nb"),
        ({"html": "<b>{{not evaluated here}}</b>"}, "<b>{{not evaluated here}}</b>", ""),
    ],
)
def test_contents(mapper: dict[str, Any], html: str, text: str) -> None:
    mail = first("ActionSendEmail", {"to": "a@b.c", **mapper}).mail
    assert (mail.html, mail.text) == (html, text)


def test_bad_attachments_are_refused() -> None:
    with pytest.raises(BundleInvalid, match="empty"):
        first("ActionSendEmail", {"to": ["a@b.c"], "attachments": [{"fileName": "a"}]})
    many = [{"fileName": "a", "data": "x"}] * 101
    with pytest.raises(BundleInvalid, match="more than 100"):
        first("ActionSendEmail", {"to": ["a@b.c"], "attachments": many})


def test_other_writers() -> None:
    own = first("ActionSendMeEmail", {"subject": "s", "html": "h"})
    assert own.to_self
    draft = first("ActionCreateDraft", {"to": ["a@b.c"], "text": "t", "contentType": "text"})
    assert isinstance(draft, SaveDraft)
    assert draft.folder == "Drafts"


def test_imported_ids_are_known() -> None:
    registry = Registry.load()
    for name in ("email:send-email", "email:TriggerNewEmail", "email:FeedAttachments"):
        assert registry.find(name) is not None
    mailhook = registry.find("gateway:CustomMailHook")
    assert mailhook is not None
    assert mailhook.hook is not None
    assert mailhook.hook.mail


def test_each_module_says_which_kind_of_connection_it_works_through() -> None:
    kinds = {
        name: module.connection_kinds.get("account", ())
        for name, module in email.modules.items()
        if module.needs_connection is not None and module.needs_connection({}, {})
    }
    assert {name for name in kinds if kinds[name] == ("smtp",)} == {
        "ActionSendEmail", "ActionSendMeEmail",
    }  # fmt: skip
    assert set(email.modules) - set(kinds) == {"FeedAttachments"}


def test_a_trigger_that_polls_has_a_form() -> None:
    assert set(schema_of(email.modules["TriggerNewEmail"])["properties"]) == {
        "folder", "criteria", "from", "to", "subject", "text", "markSeen", "maxResults",
    }  # fmt: skip


class Mailbox:
    """Answers as a mailbox does."""

    def __init__(self, *uids: int) -> None:
        self.uids = list(uids)
        self.fetched: list[tuple[int, bool]] = []

    async def __call__(self, ask: Request | Ask, _step: int = 0) -> Any:
        if isinstance(ask, FindMails):
            assert (ask.folder, ask.unseen, ask.sender) == ("INBOX", True, "bob")
            return [
                {"uid": uid, "uidValidity": 7, "folder": ask.folder} for uid in reversed(self.uids)
            ]
        assert isinstance(ask, FetchMail)
        self.fetched.append((ask.uid, ask.mark_seen))
        return {"uid": ask.uid} if ask.uid in self.uids and ask.uid != 13 else None


@asynchronous
async def test_a_watched_folder_gives_what_is_new_whole() -> None:
    box = Mailbox(10, 11)
    module = email.modules["TriggerNewEmail"]
    assert module.poll is not None
    given = {
        "folder": "INBOX", "criteria": "UNSEEN", "from": "bob", "markSeen": True, "maxResults": 2,
    }  # fmt: skip
    arguments = bind(module, given, given)
    state: dict[str, Any] | None = None
    seen = []
    for arrived in ((), (12, 13, 14), (), ()):
        box.uids += arrived
        items = await perform(module, arguments, box)
        new, state = fresh(items, state, module.poll, limit=arguments[module.poll.limit_field])
        seen.append(await completed(module.poll, new, arguments, box))
    assert seen == [[], [{"uid": 12}], [{"uid": 14}], []]  # 13 was gone before it was fetched
    assert box.fetched == [(12, True), (13, True), (14, True)]


@asynchronous
async def test_searches_and_single_mails() -> None:
    box = Mailbox(10, 13, 14)
    search = email.modules["ActionSearchEmails"]
    given = bind(search, {"criteria": "UNSEEN", "from": "bob", "maxResults": 2}, {})
    assert await perform(search, given, box) == [{"uid": 14}]
    single = email.modules["ActionGetEmail"]
    assert await perform(single, {"folder": "INBOX", "uid": 10}, box) == [{"uid": 10}]
    with pytest.raises(NotFound, match="no message 13"):
        await perform(single, {"folder": "INBOX", "uid": 13}, box)


def test_whole_asks_for_the_mail_that_was_listed() -> None:
    flow = whole({"uid": 3, "folder": "A"}, {"mark_seen": False})
    assert next(flow) == FetchMail(folder="A", uid=3)


def test_attachments_one_by_one() -> None:
    rows = [{"fileName": "a", "data": b"1"}, {"fileName": "b", "data": b"2"}]
    found = list(feed_attachments({}, {"array": rows}))
    assert [(each["fileName"], each["__IMTINDEX__"], each["__IMTLENGTH__"]) for each in found] == [
        ("a", 1, 2), ("b", 2, 2),
    ]  # fmt: skip
    with pytest.raises(BundleInvalid, match="attachments"):
        list(feed_attachments({}, {"array": ["x"]}))


def test_a_mailhook_gives_the_mail() -> None:
    [bundle] = custom_mailhook(delivery(b"Message-ID: <1@x>\r\nSubject: s\r\n\r\nhi"))
    assert (bundle["subject"], bundle["text"]) == ("s", "hi")
    assert bundle["headers"]["message-id"] == "<1@x>"
    assert gateway.modules["CustomMailHook"].function is custom_mailhook
