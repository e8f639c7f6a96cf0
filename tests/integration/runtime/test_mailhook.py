"""Mail for mailhooks: acknowledged when durable, known by its Message-ID, or refused."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from junctor.errors import Misconfigured, NotFound
from junctor.runtime.hooks import Hook
from junctor.runtime.mailhook import Inlet, MailDoor
from tests.integration.runtime.door import (
    door,
    flow,
    idle,
    plant_hook,
    waiting_deliveries,
    working,
)
from tests.support import asynchronous

MAIL = b"Message-ID: <%s@x>\r\nFrom: Bob <bob@x.test>\r\nSubject: Caf\xc3\xa9\r\n\r\n.dot\r\nhi\r\n"
TRIGGER: tuple[str, dict[str, Any]] = ("gateway:CustomMailHook", {})
SET = (
    "util:SetVariables",
    {"scope": "roundtrip", "variables": [{"name": "s", "value": "{{1.subject}} {{1.from.name}}"}]},
)


class Post:
    """Sends mail to the door, as a mail server does."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __call__(self, raw: bytes, *to: str, sender: str = "bob@x.test") -> tuple[int, str]:
        """The door's last answer."""
        return await asyncio.to_thread(self._send, raw, to, sender)

    def _send(self, raw: bytes, to: tuple[str, ...], sender: str) -> tuple[int, str]:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, "client.test", timeout=120) as client:
                client.ehlo()
                client.mail(sender)
                for address in to:
                    code, text = client.rcpt(address)
                    if code != 250:
                        return code, text.decode()
                code, text = client.data(raw)
                return code, text.decode()
        except smtplib.SMTPResponseException as error:
            return error.smtp_code, str(error.smtp_error)


@asynccontextmanager
async def taking(inlet: Any, **limits: Any) -> AsyncIterator[Post]:
    """The door for mail, open."""
    mail = MailDoor(cast("Inlet", inlet), domain="hooks.test", **limits)
    post = Post(await mail.start("127.0.0.1", 0))
    try:
        yield post
    finally:
        await mail.stop()


def mailbox(url: str, **settings: Any) -> str:
    path = plant_hook(url, flow(TRIGGER, SET), kind="CustomMailHook", **settings)
    return path.rpartition("/")[2] + "@hooks.test"


def states(url: str, address: str) -> list[tuple[str]]:
    with psycopg.connect(url) as db:
        return db.execute(
            "select r.state from runs r join hooks h using (organization_id, scenario_id)"
            " where h.token = %s",
            (address.partition("@")[0],),
        ).fetchall()


@asynchronous
async def test_a_mail_is_stored_before_it_is_acknowledged(database_url: str) -> None:
    address = mailbox(database_url)
    async with door(database_url) as it, taking(it.ingest) as post:
        before = waiting_deliveries(database_url)
        assert (await post(MAIL % b"1", address))[0] == 250
        assert waiting_deliveries(database_url) == before + 1
        async with working(database_url):
            await idle(database_url)
    assert states(database_url, address) == [("finished",)]


@asynchronous
async def test_the_same_mail_again_is_one_run(database_url: str) -> None:
    address = mailbox(database_url)
    async with door(database_url) as it, taking(it.ingest) as post:
        answers = await asyncio.gather(*(post(MAIL % b"2", address) for _ in range(8)))
        assert {code for code, _ in answers} == {250}
        assert (await post(MAIL % b"3", address, address))[0] == 250
        async with working(database_url):
            await idle(database_url)
    assert states(database_url, address) == [("finished",), ("finished",)]


@asynchronous
async def test_a_mail_to_two_hooks_is_two_runs(database_url: str) -> None:
    one, other = mailbox(database_url), mailbox(database_url)
    async with door(database_url) as it, taking(it.ingest) as post:
        assert (await post(MAIL % b"4", one, other.replace("@", "+tag@")))[0] == 250
        async with working(database_url):
            await idle(database_url)
    assert states(database_url, one) == states(database_url, other) == [("finished",)]


@asynchronous
async def test_only_mailhooks_are_known(database_url: str) -> None:
    address = mailbox(database_url)
    before = waiting_deliveries(database_url)
    web = plant_hook(database_url, flow(("gateway:CustomWebHook", {}), SET)).rpartition("/")[2]
    async with door(database_url) as it, taking(it.ingest) as post:
        for unknown in (
            "0" * 32 + "@hooks.test",
            address.replace("hooks.test", "elsewhere.test"),
            f"{web}@hooks.test",
            "postmaster@hooks.test",
            "a'; drop table hooks@hooks.test",
        ):
            code, text = await post(MAIL % b"5", unknown)
            assert code in {550, 553}, text
        assert waiting_deliveries(database_url) == before
        # And a web request is no mail.
        answer = await it.post("/hook/" + address.partition("@")[0], MAIL % b"6")
        assert answer.status == 401
        assert waiting_deliveries(database_url) == before


@asynchronous
async def test_only_mail_from_listed_senders_is_taken(database_url: str) -> None:
    address = mailbox(database_url, senders=["bob@x.test", "@Good.test"])
    before = waiting_deliveries(database_url)
    async with door(database_url) as it, taking(it.ingest) as post:
        assert (await post(MAIL % b"7", address))[0] == 250
        assert (await post(MAIL % b"8", address, sender="any@good.test"))[0] == 250
        assert (await post(MAIL % b"9", address, sender="eve@y.test"))[0] == 550
        assert waiting_deliveries(database_url) == before + 2


@asynchronous
async def test_a_mail_that_is_too_large_is_refused(database_url: str) -> None:
    address = mailbox(database_url)
    before = waiting_deliveries(database_url)
    async with door(database_url) as it, taking(it.ingest, most_bytes=2_000) as post:
        assert (await post(MAIL % b"a" + b"x\r\n" * 2_000, address))[0] == 552
        assert waiting_deliveries(database_url) == before


class Away:
    """An inlet whose database goes away at a point."""

    def __init__(self, *, known: bool, error: Exception) -> None:
        self._known = known
        self._error = error

    async def hook(self, token: str) -> Hook:
        del token
        if not self._known:
            raise self._error
        return cast("Hook", SimpleNamespace(definition=SimpleNamespace(mail=True), stored={}))

    async def deliver(self, hook: Hook, delivery: object) -> Any:
        del hook, delivery
        raise self._error


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("away"), ConnectionError("away"), Misconfigured("broken")]
)
@asynchronous
async def test_what_is_not_stored_is_to_be_sent_again(known: bool, error: Exception) -> None:
    async with taking(Away(known=known, error=error)) as post:
        assert (await post(MAIL % b"b", "a@hooks.test"))[0] == 451


@asynchronous
async def test_a_bug_is_no_acknowledgement() -> None:
    async with taking(Away(known=True, error=ValueError("a bug"))) as post:
        assert (await post(MAIL % b"c", "a@hooks.test"))[0] == 451


@asynchronous
async def test_a_hook_that_went_is_refused() -> None:
    async with taking(Away(known=True, error=NotFound(what="It"))) as post:
        assert (await post(MAIL % b"d", "a@hooks.test"))[0] == 550


@asynchronous
async def test_one_session_too_many_is_told_to_come_later() -> None:
    inlet = Away(known=True, error=NotFound(what="It"))
    async with taking(inlet, most_sessions=1) as post:
        reader, writer = await asyncio.open_connection("127.0.0.1", post._port)
        assert (await reader.readline()).startswith(b"220")
        assert (await post(MAIL % b"e", "a@hooks.test"))[0] == 421
        writer.close()
        await writer.wait_closed()
