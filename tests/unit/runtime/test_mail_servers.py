"""What modules ask of mail, done with a server on loopback: outcomes, quoting, limits."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from junctor.adapters.imap import from_wire, to_wire
from junctor.adapters.mail import Login, MailServers
from junctor.connectors.email import email
from junctor.engine.commands import Address
from junctor.errors import (
    BundleInvalid,
    DataError,
    JunctorError,
    Misconfigured,
    NotFound,
    NotSent,
    Reconnect,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language import mail
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
from junctor.language.connector import Ask, Secret
from junctor.language.mail import Attachment, Outgoing
from junctor.runtime.accounts import Account
from junctor.runtime.services import Asking, Services, Tools, asked
from junctor.simulators.mail import Folder, MailServer
from tests.support import asynchronous

NOBODY = UUID(int=0)
HELLO = b"Subject: hello\r\nFrom: Bob <bob@x.test>\r\nMessage-ID: <h@x>\r\n\r\nbody of it\r\n"


class Desk:
    """A module that asks."""

    def __init__(self, server: MailServer, servers: MailServers) -> None:
        self.server = server
        self.servers = servers

    async def __call__(self, ask: Ask, *, kind: str = "imap", **changes: Any) -> Any:
        port = self.server.imap_port if kind == "imap" else self.server.smtp_port
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "user": self.server.user,
            "password": Secret(self.server.password),
            **changes,
        }
        form = ImapAccount(**given) if kind == "imap" else SmtpAccount(**given)
        tools = Tools(
            line=cast("Any", SimpleNamespace()),
            transport=cast("Any", SimpleNamespace()),
            mail=self.servers,
        )
        asking = Asking(
            tools=tools,
            organization_id=NOBODY,
            scenario_id=NOBODY,
            run_id=NOBODY,
            address=Address(0, 1, (0,)),
            parameters={},
            account=Account(email, email.connections[kind], "", form),
        )
        return await Services(tools).do(ask, asking)

    async def send(self, *, save: bool = False, **fields: Any) -> Any:
        out = {"to": ("a@b.c",), "from_": "me@x.test", "subject": "s", "text": "hi", **fields}
        return await self(
            SendMail(mail=Outgoing(**out), save=save),
            kind="smtp",
            imap_host="127.0.0.1",
            imap_port=self.server.imap_port,
            imap_security="none",
        )


@asynccontextmanager
async def desk(fault: str = "") -> AsyncIterator[Desk]:
    async with MailServer() as server:
        server.fault = cast("Any", fault)
        servers = MailServers(server.addresses, whole=120)
        try:
            yield Desk(server, servers)
        finally:
            servers.close()


# SMTP


@asynchronous
async def test_a_mail_is_sent_to_all_and_kept() -> None:
    async with desk() as ask:
        answer = await ask.send(
            cc=("C <c@d.e>",),
            bcc=("x@y.z",),
            text=".\r\n..\r\nlines\n.\n",
            attachments=(Attachment("a.bin", b"\r\n.\r\n"),),
            save=True,
        )
        [sent] = ask.server.sent
        assert sent.mail_from == "me@x.test"
        assert sent.rcpt_tos == ["a@b.c", "c@d.e", "x@y.z"] == answer["accepted"]
        raw = sent.original_content or b""
        assert b"x@y.z" not in raw
        read = mail.read(raw)
        assert read["messageId"] == answer["messageId"]
        assert read["messageId"].endswith("@x.test>")
        assert read["text"] == ".\n..\nlines\n.\n"
        assert read["attachments"][0]["data"] == b"\r\n.\r\n"
        assert answer["saved"]
        [kept] = ask.server.folders["Sent"].messages
        assert kept.flags == {"\\Seen"}
        assert message_from_bytes(kept.raw)["bcc"] == "x@y.z"


@asynchronous
async def test_the_same_step_has_the_same_message_id() -> None:
    async with desk() as ask:
        assert (await ask.send())["messageId"] == (await ask.send())["messageId"]


@asynchronous
async def test_a_mail_to_oneself() -> None:
    async with desk() as ask:
        own = SendMail(mail=Outgoing(text="x"), to_self=True)
        await ask(own, kind="smtp", address="ann@x.test")
        assert ask.server.sent[0].rcpt_tos == ["ann@x.test"]


@asynchronous
async def test_a_copy_that_is_not_kept_is_no_failure() -> None:
    async with desk() as ask:
        del ask.server.folders["Sent"]
        assert (await ask.send(save=True))["saved"] is False
        assert len(ask.server.sent) == 1


@pytest.mark.parametrize(
    ("fault", "to", "error", "sent"),
    [
        ("refuse-mail", "a@b.c", VendorRefused, 0),
        ("later", "a@b.c", VendorUnavailable, 0),
        ("", "nobody@b.c", VendorRefused, 0),
        ("refuse-data", "a@b.c", VendorRefused, 0),
        ("cut-before-data", "a@b.c", NotSent, 0),
        ("cut-after-data", "a@b.c", Uncertain, 1),
    ],
)
@asynchronous
async def test_how_a_send_ended_is_told_exactly(
    fault: str, to: str, error: type[JunctorError], sent: int
) -> None:
    async with desk(fault) as ask:
        with pytest.raises(JunctorError) as caught:
            await ask.send(to=("good@b.c", to))
        assert type(caught.value) is error
        assert len(ask.server.sent) == sent


@asynchronous
async def test_nothing_leaves_for_a_header_that_would_be_two() -> None:
    async with desk() as ask:
        with pytest.raises(BundleInvalid):
            await ask.send(subject="a\r\nBcc: x@y.z")
        assert ask.server.sent == []


@asynchronous
async def test_addresses_beyond_ascii() -> None:
    async with desk() as ask:
        await ask.send(to=("jörg@bücher.example",))
        assert ask.server.sent[0].rcpt_tos == ["jörg@bücher.example"]


# Connections


@pytest.mark.parametrize("kind", ["smtp", "imap"])
@asynchronous
async def test_a_connection_is_tested(kind: str) -> None:
    async with desk() as ask:
        await ask(CheckMail(), kind=kind)
        with pytest.raises(Reconnect, match="refused the user name"):
            await ask(CheckMail(), kind=kind, password=Secret("wrong"))
        with pytest.raises(Misconfigured, match="offers no STARTTLS"):
            await ask(CheckMail(), kind=kind, security="starttls")
        with pytest.raises(NotSent):
            await ask(CheckMail(), kind=kind, security="tls")


@asynchronous
async def test_private_addresses_are_refused_unless_allowed() -> None:
    async with desk() as ask:
        closed = Desk(ask.server, MailServers())
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
            with pytest.raises(NotSent, match=r"not a public address|unusual"):
                await closed(CheckMail(), host=host)
            with pytest.raises(NotSent, match=r"not a public address|unusual"):
                await closed(CheckMail(), kind="smtp", host=host)
        closed.servers.close()


@pytest.mark.parametrize("kind", ["smtp", "imap"])
@asynchronous
async def test_a_server_that_says_nothing_is_left(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with MailServer() as server:
            servers = MailServers([f"127.0.0.1:{port}"], whole=0.1)
            with pytest.raises(NotSent, match="too long"):
                await Desk(server, servers)(CheckMail(), kind=kind, port=port)
            servers.close()


def test_a_login_shows_no_password() -> None:
    assert "geheim" not in repr(Login(host="h", port=1, security="tls", password="geheim"))


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    made = (
        x509.CertificateBuilder(name, name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(("kind", "security"), [("smtp", "starttls"), ("imap", "tls")])
@asynchronous
async def test_certificates_are_checked_unless_said_not_to(
    kind: str, security: str, tmp_path: Path
) -> None:
    async with MailServer(tls=certificate(tmp_path)) as server:
        servers = MailServers(server.addresses)
        ask = Desk(server, servers)
        with pytest.raises(NotSent, match="certificate"):
            await ask(CheckMail(), kind=kind, security=security)
        await ask(CheckMail(), kind=kind, security=security, reject_unauthorized=False)
        servers.close()


def test_what_is_asked_has_a_fingerprint() -> None:
    one = SendMail(mail=Outgoing(to=("a@b.c",), attachments=(Attachment("a", b"\xff"),)))
    other = SendMail(mail=Outgoing(to=("a@b.c",), attachments=(Attachment("a", b"\xfe"),)))
    assert asked(one) == asked(one) != asked(other)


@asynchronous
async def test_the_wrong_kind_of_connection_is_said() -> None:
    async with desk() as ask:
        with pytest.raises(Misconfigured, match="email smtp"):
            await ask(SendMail(mail=Outgoing(to=("a@b.c",))))
        with pytest.raises(Misconfigured, match="email imap"):
            await ask(ListFolders(), kind="smtp")


# IMAP


@asynchronous
async def test_folders_and_their_names() -> None:
    async with desk() as ask:
        ask.server.folders = {"INBOX": Folder(), "INBOX/Entw&APw-rfe": Folder(), "A &- B": Folder()}
        assert await ask(ListFolders()) == [
            {"path": "INBOX", "name": "INBOX"},
            {"path": "INBOX/Entwürfe", "name": "Entwürfe"},
            {"path": "A & B", "name": "A & B"},
        ]


@pytest.mark.parametrize("name", ["INBOX", "Entwürfe", "A & B", "日本/語", "a&b&c", "😀"])
def test_folder_names_travel(name: str) -> None:
    assert to_wire(name).isascii()
    assert from_wire(to_wire(name)) == name


@asynchronous
async def test_mails_are_found_newest_first() -> None:
    async with desk() as ask:
        inbox = ask.server.folders["INBOX"]
        inbox.add(HELLO, "\\Seen")
        inbox.add(HELLO.replace(b"hello", "grüße".encode()))
        inbox.add(HELLO.replace(b"hello", b"other"))
        inbox.add(HELLO, "\\Deleted")

        async def uids(**wanted: Any) -> list[int]:
            rows = await ask(FindMails(folder="INBOX", **wanted))
            assert {row["uidValidity"] for row in rows} <= {1}
            return [row["uid"] for row in rows]

        assert await uids() == [3, 2, 1]
        assert await uids(unseen=True) == [3, 2]
        assert await uids(sender="bob", subject="hello") == [1]
        assert await uids(subject="grüße") == [2]
        assert await uids(subject="grüße", unseen=True, text="nothing") == []
        assert await uids(subject='a" UNSEEN "b\\') == []
        assert await uids(message_id="<h@x>") == [3, 2, 1]
        assert await ask(FindMails(folder="Drafts")) == []


@asynchronous
async def test_a_mail_is_fetched_whole() -> None:
    async with desk() as ask:
        ask.server.folders["INBOX"].add(HELLO, "\\Flagged")
        found = await ask(FetchMail(folder="INBOX", uid=1))
        assert found["subject"] == "hello"
        assert found["text"] == "body of it\n"
        assert (found["uid"], found["folder"], found["truncated"]) == (1, "INBOX", False)
        assert (found["seen"], found["flagged"], found["size"]) == (False, True, len(HELLO))
        assert found["receivedAt"].year == 2026
        assert ask.server.folders["INBOX"].messages[0].flags == {"\\Flagged"}
        assert (await ask(FetchMail(folder="INBOX", uid=1, mark_seen=True)))["seen"] is True
        assert "\\Seen" in ask.server.folders["INBOX"].messages[0].flags
        assert await ask(FetchMail(folder="INBOX", uid=7)) is None


@asynchronous
async def test_a_huge_mail_comes_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("junctor.adapters.imap.MOST_BYTES", 50)
    async with desk() as ask:
        ask.server.folders["INBOX"].add(HELLO)
        found = await ask(FetchMail(folder="INBOX", uid=1))
        assert (found["subject"], found["text"], found["truncated"]) == ("hello", "", True)


@asynchronous
async def test_mails_are_filed() -> None:
    async with desk() as ask:
        inbox, sent = ask.server.folders["INBOX"], ask.server.folders["Sent"]
        inbox.add(HELLO)
        inbox.add(HELLO)
        await ask(FlagMail(folder="INBOX", uid=1, seen=True, flagged=True))
        await ask(FlagMail(folder="INBOX", uid=1, flagged=False))
        assert inbox.messages[0].flags == {"\\Seen"}
        await ask(CopyMail(folder="INBOX", uid=1, target="Sent"))
        await ask(MoveMail(folder="INBOX", uid=2, target="Sent"))
        await ask(DeleteMail(folder="INBOX", uid=1))
        assert inbox.messages == []
        assert len(sent.messages) == 2
        draft = await ask(SaveDraft(mail=Outgoing(text="x", bcc=("b@c.d",)), folder="Drafts"))
        [kept] = ask.server.folders["Drafts"].messages
        assert message_from_bytes(kept.raw)["message-id"] == draft["messageId"]
        assert kept.flags == {"\\Draft"}


@asynchronous
async def test_a_server_without_move_copies_and_marks() -> None:
    async with desk("no-move") as ask:
        inbox = ask.server.folders["INBOX"]
        inbox.add(HELLO)
        await ask(MoveMail(folder="INBOX", uid=1, target="Sent"))
        assert len(ask.server.folders["Sent"].messages) == 1
        assert inbox.messages[0].flags == {"\\Deleted"}


@asynchronous
async def test_what_is_not_there_is_said() -> None:
    async with desk() as ask:
        ask.server.folders["INBOX"].add(HELLO)
        with pytest.raises(NotFound, match="'No' can't be opened"):
            await ask(FindMails(folder="No"))
        with pytest.raises(DataError, match="no message 9"):
            await ask(DeleteMail(folder="INBOX", uid=9))
        with pytest.raises(VendorRefused, match="into 'No'"):
            await ask(MoveMail(folder="INBOX", uid=1, target="No"))


@asynchronous
async def test_a_change_whose_answer_is_lost_is_uncertain() -> None:
    async with desk("cut-command") as ask:
        ask.server.folders["INBOX"].add(HELLO)
        with pytest.raises(Uncertain):
            await ask(MoveMail(folder="INBOX", uid=1, target="Sent"))
        with pytest.raises(Uncertain):
            await ask(SaveDraft(mail=Outgoing(text="x", from_="a@b.c"), folder="Drafts"))


@pytest.mark.parametrize(
    "ask_",
    [
        FindMails(folder="INBOX\r\nX LOGOUT"),
        FindMails(folder="INBOX", subject="a\r\nX LOGOUT"),
        MoveMail(folder="INBOX", uid=1, target="a\r\nX LOGOUT"),
        FetchMail(folder="INBOX", uid=-1),
    ],
)
@asynchronous
async def test_nothing_mapped_becomes_a_command(ask_: Ask) -> None:
    async with desk() as ask:
        ask.server.folders["INBOX"].add(HELLO)
        with pytest.raises(DataError):
            await ask(ask_)
        assert not any(line.startswith("X ") for line in ask.server.commands)
