"""Mail as values: read whatever comes, write only what is safe."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import BundleInvalid, DataError
from junctor.language.mail import (
    MOST_BYTES,
    Attachment,
    Outgoing,
    compose,
    domain_of,
    mailboxes,
    message_id_of,
    read,
    recipients,
)

WHEN = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def written(**fields: Any) -> bytes:
    given_ = {"to": ("a@b.c",), "from_": "me@x.test", "text": "hi", **fields}
    return compose(Outgoing(**given_), message_id="<1@x.test>", date=WHEN)


def test_what_is_written_reads_as_it_was_meant() -> None:
    raw = written(
        to=("Jörg Müller <joerg@example.com>", "b@c.d"),
        cc=("c@c.d",),
        bcc=("hidden@c.d",),
        subject="Grüße, “you”",
        html="<p>Ä</p><img src='cid:logo'>",
        text="Ä",
        attachments=(
            Attachment("logo.png", b"\x89PNG", "logo"),
            Attachment("Prüfung.pdf", b"%PDF\r\n.\r\n"),
        ),
        reply_to="r@x.test",
        in_reply_to="p@q",
        references=("<a@q>", "p@q"),
        priority="high",
        headers=(("X-Ours", "yes"),),
    )
    assert b"hidden@c.d" not in raw
    bundle = read(raw)
    files = bundle.pop("attachments")
    headers = bundle.pop("headers")
    assert bundle == {
        "messageId": "<1@x.test>",
        "date": WHEN,
        "subject": "Grüße, “you”",
        "from": {"address": "me@x.test", "name": ""},
        "sender": {"address": "", "name": ""},
        "to": [
            {"address": "joerg@example.com", "name": "Jörg Müller"},
            {"address": "b@c.d", "name": ""},
        ],
        "cc": [{"address": "c@c.d", "name": ""}],
        "bcc": [],
        "replyTo": [{"address": "r@x.test", "name": ""}],
        "inReplyTo": "<p@q>",
        "references": ["<a@q>", "<p@q>"],
        "priority": "high",
        "text": "Ä\n",
        "html": "<p>Ä</p><img src='cid:logo'>\n",
    }
    assert headers["x-ours"] == "yes"
    shown = [(file["fileName"], file["data"], file["contentId"]) for file in files]
    assert shown == [("logo.png", b"\x89PNG", "logo"), ("Prüfung.pdf", b"%PDF\r\n.\r\n", "")]
    assert [file["contentType"] for file in files] == ["image/png", "application/pdf"]


def test_the_same_mail_is_the_same_bytes() -> None:
    fields = {"html": "<b>x</b>", "attachments": (Attachment("a.txt", b"x"),)}
    assert written(**fields) == written(**fields)


@pytest.mark.parametrize("text", ["a\r\nBcc: x@y.z", "a\nb", "a\rb", "a\x00b"])
@pytest.mark.parametrize("field", ["subject", "from_", "sender", "reply_to", "in_reply_to"])
def test_no_field_makes_another_header(field: str, text: str) -> None:
    with pytest.raises(BundleInvalid):
        written(**{field: text})


@pytest.mark.parametrize(
    "fields",
    [
        {"to": ("a@b.c\r\nBcc: x@y.z",)},
        {"references": ("a\nb",)},
        {"headers": (("X-A", "a\r\nBcc: x@y.z"),)},
        {"headers": (("X-A: b\r\nBcc", "x"),)},
        {"headers": (("bcc", "x@y.z"),)},
        {"headers": (("", "x"),)},
        {"attachments": (Attachment("a\r\nX: b", b""),)},
        {"html": "x", "attachments": (Attachment("a", b"", "c>\r\nX: b"),)},
        {"to": ("nobody",)},
        {"to": ("a b@c.d",)},
        {"from_": "@x"},
    ],
)
def test_what_is_no_mail_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BundleInvalid):
        written(**fields)


@given(st.text(max_size=40))
def test_a_subject_is_refused_or_survives(text: str) -> None:
    try:
        raw = written(subject=text)
    except BundleInvalid:
        return
    message = message_from_bytes(raw, policy=policy.default)
    assert set(message.keys()) <= {
        "Message-ID", "Date", "From", "To", "Subject", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


def test_too_much_is_refused() -> None:
    with pytest.raises(DataError, match="attachments"):
        written(attachments=(Attachment("a", bytes(MOST_BYTES)),))
    with pytest.raises(DataError, match="letters"):
        written(text="x" * MOST_BYTES, html="x")
    with pytest.raises(BundleInvalid, match="more than"):
        recipients(Outgoing(to=("a@b.c",) * 501))


def test_recipients_are_each_once_and_somebody() -> None:
    assert recipients(Outgoing(to=("A <a@b.c>", "a@b.c"), bcc=("x@y.z",))) == ("a@b.c", "x@y.z")
    assert recipients(Outgoing(to=("a@b.c, d@e.f",))) == ("a@b.c", "d@e.f")
    with pytest.raises(BundleInvalid, match="no recipient"):
        recipients(Outgoing())


def test_domains() -> None:
    assert domain_of("A <a@bücher.example>") == "xn--bcher-kva.example"
    assert domain_of("") == "localhost"
    assert mailboxes("to", ["jörg@bücher.example"]) == [("", "jörg@bücher.example")]
    assert b"xn--bcher-kva" in written(to=("a@bücher.example",))


MULTI = b"""From: "M\xfcller" <m@x.test>\r
To: undisclosed-recipients:;\r
Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?= =?x-nonsense?b?4pyT?=\r
Received: a\r
Received: b\r
Date: nonsense\r
Content-Type: multipart/mixed; boundary=B\r
\r
--B\r
Content-Type: text/plain; charset=nonsense\r
\r
caf\xc3\xa9\r
--B\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
caf=E9=\r
\r
--B\r
Content-Type: application/octet-stream; name="../../etc/passwd"\r
Content-Transfer-Encoding: base64\r
\r
!!not base64\r
--B\r
Content-Type: message/rfc822\r
\r
Subject: inner\r
\r
hello\r
--B--\r
"""


def test_bad_mail_is_read_all_the_same() -> None:
    bundle = read(MULTI)
    assert bundle["subject"] == "grüße✓"
    assert bundle["from"] == {"address": "m@x.test", "name": "M\ufffdller"}
    assert read("Subject: Grüße =?utf-8?q?=C3=A4?= ö\r\n\r\n".encode())["subject"] == "Grüße ä ö"
    assert bundle["to"] == []
    assert bundle["date"] is None
    assert bundle["headers"]["received"] == ["a", "b"]
    assert bundle["text"] == "café"
    assert bundle["html"] == "café"
    assert [file["fileName"] for file in bundle["attachments"]] == [
        ".._.._etc_passwd",
        "attachment-2.eml",
    ]
    assert b"hello" in bundle["attachments"][1]["data"]


@given(st.binary(max_size=300))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert set(read(raw)) >= {"subject", "text", "attachments"}
    assert message_id_of(raw)


@given(st.binary(max_size=200), st.sampled_from([b"From", b"Subject", b"Date", b"Content-Type"]))
def test_any_header_is_read(value: bytes, name: bytes) -> None:
    assert read(name + b": " + value + b"\r\n\r\nbody")["headers"] is not None


def test_what_would_cost_too_much_is_refused() -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(10_000)
    )
    with pytest.raises(DataError, match="nested"):
        read(nested)
    parts = b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + b"--B\r\n\r\nx\r\n" * 5_000
    with pytest.raises(DataError, match="parts"):
        read(parts + b"--B--")


@pytest.mark.parametrize(
    "raw",
    [
        b"To: " + b"a@b.c," * 300_000 + b"\r\n\r\n",
        b"Subject: " + b"=?utf-8?q?a?=" * 200_000 + b"\r\n\r\n",
        b"X: y\r\n" * 100_000 + b"\r\n",
        b"From: " + b"(" * 500_000 + b"\r\n\r\n",
        b"Content-Type: " + b"a;" * 300_000 + b"\r\n\r\n",
    ],
    ids=lambda raw: raw[:12].decode(),
)
def test_long_heads_take_little_time(raw: bytes) -> None:
    before = time.process_time()
    read(raw)
    assert time.process_time() - before < 3


def test_the_same_mail_has_the_same_key() -> None:
    assert message_id_of(b"Message-ID: <a@b>\r\n\r\nx") == "<a@b>"
    assert message_id_of(b"Subject: x\r\n\r\nMessage-ID: <a@b>").startswith("sha256:")
    assert message_id_of(b"a") == message_id_of(b"a") != message_id_of(b"b")
