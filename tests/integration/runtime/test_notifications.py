"""Notices reach their channels once, in time, together; and nothing confidential leaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from junctor.app import chores, notifications
from junctor.app.core import Core, open_core
from junctor.app.owner import ensure_organization
from junctor.app.settings import Settings
from junctor.errors import BundleInvalid, Misconfigured, NotSent, VendorRefused
from junctor.language.connector import Request, Response
from junctor.ports.transport import Files
from junctor.runtime.notices import backup_failed, once_a_day
from junctor.runtime.notifying import MOST_TRIES, Notifier, new_secret, post_of, sign
from junctor.simulators.mail import MailServer
from junctor.testing.transport import FakeTransport
from tests.api.shapes import blueprint
from tests.support import asynchronous

HOOK = "https://chat.example.com/hooks/T0/canary-in-path"
CANARY = "+49 151 canary"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The master key's, the same for all tests on this database."""
    return tmp_path_factory.getbasetemp() / "notify"


@asynccontextmanager
async def opened(url: str, folder: Path, **settings: Any) -> AsyncIterator[tuple[Core, UUID]]:
    made = Settings(data_dir=folder, public="https://junctor.test", **settings)
    async with open_core(made, url) as core:
        organization = await ensure_organization(core)
        for table in ("notification_channels", "notices", "notifications"):
            await execute(core, f"delete from {table}")
        yield core, organization


async def execute(core: Core, query: str, *values: Any) -> list[Any]:
    async with core.engine.connection() as connection:
        cursor = await connection.execute(query, values)
        return await cursor.fetchall() if cursor.description else []


async def happen(core: Core, organization: UUID, *, scenario: UUID | None = None) -> None:
    """A run stops, and its error says what no message may say."""
    await execute(
        core,
        "insert into notices (organization_id, id, kind, scenario_id, run_id, params)"
        " values (%s, %s, 'run_stopped', %s, %s, %s::jsonb)",
        organization,
        core.ids.new(),
        scenario,
        core.ids.new(),
        msgspec.json.encode(
            {"state": "incomplete", "code": "vendor_refused", "message": f"refused: {CANARY}"}
        ).decode(),
    )


def with_transport(core: Core, transport: FakeTransport) -> Notifier:
    return notifications.notifier(replace(core, transport=transport))


@asynchronous
async def test_a_storm_is_two_signed_messages_without_bundle_data(
    database_url: str, folder: Path
) -> None:
    async with opened(database_url, folder) as (core, organization):
        scenario = await core.catalog.create_scenario(
            organization, actor="t", name="Calls\r\nBcc: x", blueprint=str(blueprint()), bindings={}
        )
        added, secret = await notifications.add_channel(
            core, organization, actor="t", name="chat", webhook=HOOK
        )
        assert secret is not None
        assert added.address == "https://chat.example.com"
        web = FakeTransport(lambda _: Response(204, {}, b""))
        notifier = with_transport(core, web)
        await happen(core, organization, scenario=scenario.id)
        assert await notifier.turn() == {"handed": 1, "sent": 1, "failed": 0}
        for _ in range(1203):
            await happen(core, organization, scenario=scenario.id)
        assert await notifier.turn() == {"handed": 1203, "sent": 0, "failed": 0}
        await execute(core, "update notifications set due_at = now() where not closed")
        assert await notifier.turn() == {"handed": 0, "sent": 1, "failed": 0}
        assert await notifier.turn() == {"handed": 0, "sent": 0, "failed": 0}

        first, storm = web.sent
        assert storm.url == HOOK
        body = storm.body
        assert isinstance(body, bytes)
        said = msgspec.json.decode(body)
        assert (said["kind"], said["count"], said["items"][0]["count"]) == (
            "run_stopped",
            1203,
            1203,
        )
        assert said["items"][0]["scenario"]["url"].startswith("https://junctor.test/")
        assert said["items"][0]["params"] == {"state": "incomplete", "code": "vendor_refused"}
        assert "junctor run show run_" in said["text"]
        assert "Calls Bcc: x" in said["text"]
        assert CANARY.encode() not in body + bytes(first.body or b"")  # type: ignore[arg-type]  # bytes, as above

        headers = storm.headers
        assert headers["webhook-id"] == said["id"]
        assert headers["webhook-id"] != first.headers["webhook-id"]
        key = base64.b64decode(str.__str__(secret).removeprefix("whsec_"))
        covered = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(key, covered, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        ((told,),) = await execute(core, "select count(*) from notices where told_at is not null")
        assert told == 1204


@asynchronous
async def test_a_message_that_did_not_arrive_is_sent_again_and_then_given_up(
    database_url: str, folder: Path
) -> None:
    async with opened(database_url, folder) as (core, organization):
        await notifications.add_channel(core, organization, actor="t", name="a", webhook=HOOK)
        await notifications.add_channel(
            core, organization, actor="t", name="b", webhook="https://well.example.com/"
        )
        up = False

        def answer(request: Request) -> Response:
            if request.url == HOOK and not up:
                raise NotSent(host="chat.example.com", reason="no route")
            return Response(200, {}, b"")

        web = FakeTransport(answer)
        notifier = with_transport(core, web)
        await happen(core, organization)
        assert await notifier.turn() == {"handed": 1, "sent": 1, "failed": 1}
        assert await notifier.turn() == {"handed": 0, "sent": 0, "failed": 0}  # not at once
        bad, well = await notifications.channels(core, organization)
        assert "chat.example.com" in str(bad.error)
        assert (well.error, well.failed_at) == (None, None)
        for _ in range(MOST_TRIES - 2):
            await execute(core, "update notifications set due_at = now() where sent_at is null")
            assert (await notifier.turn())["failed"] == 1
        up = True
        await execute(core, "update notifications set due_at = now() where sent_at is null")
        assert (await notifier.turn())["sent"] == 1
        same = {each.headers["webhook-id"] for each in web.sent if each.url == HOOK}
        assert len(same) == 1
        assert (await notifications.channels(core, organization))[0].error is None

        up = False
        await happen(core, organization)
        await notifier.turn()
        await execute(
            core, "update notifications set due_at = now(), attempts = 99 where sent_at is null"
        )
        assert (await notifier.turn())["failed"] >= 1
        await execute(core, "update notifications set due_at = now()")
        assert (await notifier.turn())["failed"] == 0


@asynchronous
async def test_a_channel_that_is_off_is_told_nothing_of_that_time(
    database_url: str, folder: Path
) -> None:
    async with opened(database_url, folder) as (core, organization):
        made, _ = await notifications.add_channel(
            core, organization, actor="t", name="a", webhook=HOOK, pause=0
        )

        async def switch(*, on: bool) -> bool:
            found = await notifications.switch_channel(
                core, organization, made.id, actor="t", enabled=on
            )
            return found.enabled

        web = FakeTransport(lambda _: Response(200, {}, b""))
        notifier = with_transport(core, web)
        await happen(core, organization)
        await notifier._execute("hand_out", limit=10)
        assert await switch(on=False) is False  # what waits is not told either
        await happen(core, organization)
        assert await notifier.turn() == {"handed": 1, "sent": 0, "failed": 0}
        # A job that had read the channel as it was hands something out after that.
        await execute(
            core,
            "update notifications set given_up_at = null, closed = false, due_at = now()",
        )
        assert (await notifier.turn())["sent"] == 0
        await notifier.test(organization, made.id)
        assert await switch(on=True) is True
        assert await notifier.turn() == {"handed": 0, "sent": 0, "failed": 0}
        await happen(core, organization)
        assert await notifier.turn() == {"handed": 1, "sent": 1, "failed": 0}
        assert len(web.sent) == 2  # the test, and what happened since


@asynchronous
async def test_a_message_under_way_when_its_channel_is_switched_off_is_not_tried_again(
    database_url: str, folder: Path
) -> None:
    async with opened(database_url, folder) as (core, organization):
        made, _ = await notifications.add_channel(
            core, organization, actor="t", name="a", webhook=HOOK, pause=0
        )

        async def answer(_: Request) -> Response:
            await notifications.switch_channel(
                core, organization, made.id, actor="t", enabled=False
            )
            raise NotSent(host="chat.example.com", reason="no route")

        await happen(core, organization)
        notifier = with_transport(core, FakeTransport(answer))
        assert await notifier.turn() == {"handed": 1, "sent": 0, "failed": 1}
        waits = "select count(*) from notifications where given_up_at is null"
        assert await execute(core, waits) == [(0,)]


@asynchronous
async def test_mail_goes_to_all_addresses_and_is_known_again(
    database_url: str, folder: Path
) -> None:
    async with MailServer() as server:
        url = f"smtp+plain://ann:secret@127.0.0.1:{server.smtp_port}?from=junctor@example.com"
        async with opened(
            database_url,
            folder,
            smtp_url=url,
            egress_allow=(f"127.0.0.1:{server.smtp_port}",),
        ) as (core, organization):
            channel, secret = await notifications.add_channel(
                core,
                organization,
                actor="t",
                name="ops",
                email="a@example.com, b@example.com",
                kinds=["backup_failed"],
            )
            assert secret is None
            await notifications.notifier(core).test(organization, channel.id)
            await happen(core, organization)  # not a kind that it wants
            assert await backup_failed(core.engine, "disk_full") == 1
            assert await backup_failed(core.engine, "disk_full") == 0
            done = await chores.notify(core)
            assert done == {"handed": 2, "sent": 1, "failed": 0}
            _test, mail = server.sent
            assert mail.rcpt_tos == ["a@example.com", "b@example.com"]
            content = bytes(mail.original_content or b"")
            assert b"Subject: [Junctor] A backup failed" in content
            assert b"Auto-Submitted: auto-generated" in content
            listed = await notifications.notices(core, organization)
            assert [(each.kind, list(each.told)) for each in listed] == [
                ("backup_failed", ["ops"]),
                ("run_stopped", []),
            ]


@asynchronous
async def test_an_address_that_is_gone_keeps_no_alarm_from_the_others(
    database_url: str, folder: Path
) -> None:
    async with MailServer() as server:
        url = f"smtp+plain://ann:secret@127.0.0.1:{server.smtp_port}?from=junctor@example.com"
        allow = (f"127.0.0.1:{server.smtp_port}",)
        async with opened(database_url, folder, smtp_url=url, egress_allow=allow) as (core, org):
            email = "a@example.com, nobody@example.com, b@example.com"
            channel, _ = await notifications.add_channel(
                core, org, actor="t", name="ops", email=email
            )
            await happen(core, org)
            assert await chores.notify(core) == {"handed": 1, "sent": 1, "failed": 0}
            assert [each.rcpt_tos for each in server.sent] == [["a@example.com"], ["b@example.com"]]
            assert len({bytes(each.original_content or b"") for each in server.sent}) == 1
            (shown,) = await notifications.channels(core, org)
            assert shown.sent_at is not None
            assert shown.failed_at is not None
            assert "nobody@example.com" in (shown.error or "")
            (notice,) = await notifications.notices(core, org)
            assert list(notice.told) == ["ops"]
            with pytest.raises(VendorRefused, match=r"nobody@example\.com"):
                await notifications.notifier(core).test(org, channel.id)
            server.fault = "refuse-data"  # then nobody is told, and it is tried again
            await happen(core, org)
            await execute(core, "update notifications set begun_at = now() - interval '1 hour'")
            assert (await chores.notify(core))["failed"] == 1


@asynchronous
async def test_a_state_is_noticed_once_a_day_and_by_scenario(
    database_url: str, folder: Path
) -> None:
    async with opened(database_url, folder) as (core, organization):
        day = datetime(2033, 3, 4, 23, 59, tzinfo=UTC)
        for when, new in ((day, 1), (day.replace(hour=1), 0), (day.replace(day=5), 1)):
            written = await once_a_day(core.engine, "key_old", "con_1", params={}, now=when)
            assert written == new
        scenario = await core.catalog.create_scenario(
            organization, actor="t", name="Only this", blueprint=str(blueprint()), bindings={}
        )
        await notifications.add_channel(
            core, organization, actor="t", name="x", webhook=HOOK, scenarios=["Only this"]
        )
        web = FakeTransport(lambda _: Response(200, {}, b""))
        assert (await with_transport(core, web).turn())["sent"] == 0
        await happen(core, organization, scenario=scenario.id)
        assert (await with_transport(core, web).turn())["sent"] == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.com", "names no mail server"),
        ("smtps://:465", "names no mail server"),
        ("smtps://user:secret@host:port", "can't be read"),
        ("smtps://user:secret@host", "does not say from whom"),
    ],
)
def test_a_mail_account_that_can_not_be_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as caught:
        post_of(url)
    assert "secret" not in str(caught.value)


def test_a_mail_account_is_read() -> None:
    post = post_of("smtps://ann%40example.com:p%2Fw@mail.example.com")
    assert post is not None
    assert (post.sender, post.login.port, post.login.security) == ("ann@example.com", 465, "tls")
    assert (post.login.password, post_of(None)) == ("p/w", None)
    assert "p/w" not in repr(post)
    assert new_secret() != new_secret()
    assert sign(b"plain", "a", 1, b"{}").startswith("v1,")


@asynchronous
async def test_a_channel_that_can_not_be_is_refused(database_url: str, folder: Path) -> None:
    async with opened(database_url, folder) as (core, organization):

        async def refused(**given: Any) -> str:
            with pytest.raises((Misconfigured, BundleInvalid)) as caught:
                await notifications.add_channel(core, organization, actor="t", **given)
            return str(caught.value)

        assert "either" in await refused(name="x")
        assert "either" in await refused(name="x", email="a@b.c", webhook=HOOK)
        assert "nobody" in await refused(name="x", email="nobody")
        assert "no user name" in await refused(name="x", webhook="https://u:p@h.example/")
        assert "begins with https://" in await refused(name="x", webhook="ftp://h.example/")
        assert "There are: run_stopped" in await refused(name="x", email="a@b.c", kinds=["no"])
        assert "name" in await refused(name="a\nb", email="a@b.c")
        assert "seconds" in await refused(name="x", email="a@b.c", pause=-1)


class Hanging:
    """Answers those of ``slow`` hosts only when it is let."""

    def __init__(self, slow: str) -> None:
        self.slow, self.told, self.let = slow, asyncio.Event(), asyncio.Event()
        self.two = asyncio.Event()
        self.waiting = self.most = 0

    async def send(self, request: Request, _files: Files | None = None) -> Response:
        if self.slow not in request.url:
            self.told.set()
            return Response(204, {}, b"")
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        if self.waiting == 2:
            self.two.set()
        await self.let.wait()
        self.waiting -= 1
        return Response(204, {}, b"")


@asynchronous
# The last one, as it makes another organisation.
async def test_whose_webhooks_hang_delays_nobody_else(database_url: str, folder: Path) -> None:
    async with opened(database_url, folder) as (core, organization):
        other, _ = await core.catalog.create_organization("Other", actor="t")
        slow = [f"https://slow.example.com/{n}" for n in range(12)]
        for each, urls in ((organization, slow), (other.organization_id, [HOOK])):
            for number, url in enumerate(urls):
                await notifications.add_channel(
                    core, each, actor="t", name=str(number), webhook=url, pause=0
                )
            await happen(core, each)
        transport = Hanging("slow.example.com")
        notifier = notifications.notifier(replace(core, transport=transport))
        turn = asyncio.create_task(notifier.turn())
        await transport.told.wait()
        assert not turn.done()
        await transport.two.wait()  # as many of one organisation's as may be at once
        transport.let.set()
        done = await turn
        assert (done["sent"], done["failed"], transport.most) == (13, 0, 2)
