"""Streams: what reaches a destination, what is dropped, and that nobody who logs ever waits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

from junctor.app import logs
from junctor.app.log_stream import Line, Outlet, Stream, Unwanted, ended_run
from junctor.app.log_targets import FileTarget, SyslogTarget, WebhookTarget, parse
from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.language.connector import Request, Response
from junctor.ports.backlog import Claim
from junctor.ports.ledger import RunRow, Write
from junctor.runtime.meter import Meter
from junctor.runtime.telemetry import WORKING
from junctor.testing.transport import FakeTransport
from tests.unit.runtime.drive_kit import OK, SCENARIO, Bench, placed

SECRET = "sk-canary-0123456789abcdef"
RUN = UUID("019a0000-0000-7000-8000-000000000abc")
NOW = 1_800_000_000.0


def line(text: str) -> Line:
    return Line(json.dumps({"event": text}), logging.INFO, NOW)


class Taken:
    """A destination that keeps what it takes; ``held`` makes it hang until it is set."""

    kind = "taken"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.lines: list[str] = []
        self.held = threading.Event()
        self.held.set()
        self.entered = threading.Event()
        self.closed = False

    def send(self, lines: Sequence[Line]) -> None:
        self.entered.set()
        assert self.held.wait(120)
        if self.errors:
            raise self.errors.pop(0)
        self.lines += [line.text for line in lines]

    def close(self) -> None:
        self.closed = True

    def outlet(self, meter: Meter, **rest: Any) -> Outlet:
        return Outlet(lambda: self, "taken", meter=meter, gather=0.0, pauses=(0.001,), **rest)


@pytest.fixture
def logging_as_a_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Logs as a server's or worker's; what it writes to standard error."""
    sink = io.StringIO()
    monkeypatch.setattr(sys, "stderr", sink)
    root = logging.getLogger()
    kept, level, config = root.handlers[:], root.level, structlog.get_config()
    logs.configure("info", process="p")
    yield sink
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()


def test_what_is_queued_comes_in_order_and_is_counted() -> None:
    meter, taken = Meter(), Taken()
    outlet = taken.outlet(meter)
    for number in range(1200):
        outlet.put(line(str(number)))
    outlet.close(grace=120)
    assert [json.loads(text)["event"] for text in taken.lines] == [str(n) for n in range(1200)]
    assert (meter.streamed["taken"], meter.dropped["taken"]) == (1200, 0)
    assert taken.closed


def test_a_destination_that_hangs_holds_nobody_and_what_is_too_much_is_dropped() -> None:
    meter, taken = Meter(), Taken()
    taken.held.clear()
    outlet = taken.outlet(meter, most=10)
    outlet.put(line("first"))
    assert taken.entered.wait(120)
    for number in range(50):  # returns at once, although nothing is taken
        outlet.put(line(str(number)))
    taken.held.set()
    outlet.close(grace=120)
    assert len(taken.lines) == 11
    assert meter.dropped["taken"] == 40


def test_what_fails_is_tried_again_and_what_is_refused_is_not() -> None:
    meter, taken = Meter(), Taken(ConnectionError("away"), OSError("full"))
    outlet = taken.outlet(meter)
    outlet.put(line("a"))
    outlet.close(grace=120)
    assert len(taken.lines) == 1
    refusing = Taken(Unwanted("no"))
    outlet = refusing.outlet(meter)
    outlet.put(line("a"))
    outlet.close(grace=120)
    assert refusing.lines == []
    assert meter.dropped["taken"] == 1


def test_the_end_of_a_process_does_not_wait_for_a_destination_that_is_away() -> None:
    meter, taken = Meter(), Taken(*[ConnectionError("away")] * 10_000)
    outlet = taken.outlet(meter)
    outlet.put(line("a"))
    outlet.put(line("b"))
    outlet.close(grace=0.05)
    assert taken.lines == []
    assert meter.dropped["taken"] == 2


def test_streams_carry_redacted_lines_that_name_their_run(
    logging_as_a_process: io.StringIO,
) -> None:
    meter, taken = Meter(), Taken()
    stream = Stream([taken.outlet(meter)])
    logs.streamed(stream)

    def work() -> None:
        WORKING.set((RUN, SCENARIO))
        structlog.get_logger("a").info("sent", api_key=SECRET, url=f"https://x/?key={SECRET}")
        logging.getLogger("b").warning("refused token=%s", SECRET)

    import contextvars

    contextvars.copy_context().run(work)
    try:
        raise ValueError(f"https://me:{SECRET}@host/")
    except ValueError:
        logging.getLogger("b").exception("at %s", f"/hook/{SECRET}")
    structlog.get_logger("a").info("x" * 100_000 + f" token={SECRET}", scenario=str(SCENARIO))
    stream.shut()
    lines = [json.loads(text) for text in taken.lines]
    assert len(lines) == 4
    assert SECRET not in "".join(taken.lines)
    assert SECRET not in logging_as_a_process.getvalue()
    assert len(logging_as_a_process.getvalue().splitlines()) == 4
    assert lines[0]["run"] == lines[1]["run"] == ids.show("run", RUN)
    assert lines[3]["scenario"] == ids.show("scn", SCENARIO)
    assert "run" not in lines[2]
    assert {each["process"] for each in lines} == {"p"}


def test_a_stream_does_not_feed_on_its_own_failures(logging_as_a_process: io.StringIO) -> None:
    meter, taken = Meter(), Taken(*[ConnectionError("away")] * 3)
    stream = Stream([taken.outlet(meter)])
    logs.streamed(stream)
    logging.getLogger("a").warning("one")
    stream.shut()
    assert [json.loads(text)["event"] for text in taken.lines] == ["one"]
    assert "log_stream_failed" in logging_as_a_process.getvalue()


def test_text_for_people_leaves_streams_as_json(
    logging_as_a_process: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", logging_as_a_process)
    logs.configure("info", form="text")
    taken = Taken()
    stream = Stream([taken.outlet(Meter())])
    logs.streamed(stream)
    structlog.get_logger("fresh").info("hello", password=SECRET)
    stream.shut()
    assert json.loads(taken.lines[0])["event"] == "hello"
    said = logging_as_a_process.getvalue()
    assert "hello" in said
    assert not said.startswith("{")
    assert SECRET not in said + taken.lines[0]


def ended(**changes: Any) -> Write:
    claim = Claim.__new__(Claim)
    claim.organization_id, claim.scenario_id = UUID(int=1), SCENARIO
    at = datetime.fromtimestamp(NOW, UTC)
    row = RunRow(
        version=3, state="incomplete", wait_reason=None, due_at=None, trigger="delivery",
        actor="hook", started_at=at, ended_at=at, operations=7, bytes=99,
        error='{"code": "vendor_refused", "message": "canary said no", "params": {"x": "canary"}}',
        failed_module=4, name="canary", dropped='{"2": 1}',
    )._replace(**changes)  # fmt: skip
    return Write(claim=claim, run_id=RUN, retention="standard", row=row)


def test_an_ended_run_is_ids_states_and_counts_alone() -> None:
    made = ended_run(ended())
    event = json.loads(made.text)
    assert event["run"] == ids.show("run", RUN)
    assert (event["state"], event["operations"], event["bytes"]) == ("incomplete", 7, 99)
    assert (event["code"], event["failed_module"]) == ("vendor_refused", 4)
    assert "canary" not in made.text
    assert made.level == logging.WARNING
    assert ended_run(ended(state="finished", error=None)).level == logging.INFO


def test_ended_runs_are_told_as_they_are_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    from junctor.runtime.telemetry import LISTENING

    told: list[Write] = []
    monkeypatch.setattr(LISTENING, "ends", told.append)

    async def run() -> None:
        bench = Bench(placed(2, "send", {"text": "{{1.n}}"}), handler=lambda _: OK)
        await bench.run(n=1)

    asyncio.run(run())
    assert [write.row.state for write in told if write.row] == ["finished"]
    assert json.loads(ended_run(told[0]).text)["operations"] >= 1


# Destinations.


def test_files_are_rotated_by_size_and_belong_to_one_process(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "j.ndjson"
    first = FileTarget(path, size=200, keep=2)
    other = FileTarget(path, size=200, keep=2)
    assert (first.path.name, other.path.name) == ("j.ndjson", "j-2.ndjson")
    for number in range(40):
        first.send([line(str(number))])
    other.send([line("other")])
    first.close()
    other.close()
    names = sorted(each.name for each in path.parent.iterdir() if not each.name.startswith("."))
    assert names == ["j-2.ndjson", "j.ndjson", "j.ndjson.1", "j.ndjson.2"]
    assert all(each.stat().st_size <= 200 for each in path.parent.iterdir())
    assert json.loads(path.read_text().splitlines()[-1])["event"] == "39"
    again = FileTarget(path, size=200, keep=2)
    assert again.path == path
    again.close()


def test_a_message_is_as_rfc_5424_says() -> None:
    target = SyslogTarget("udp", "127.0.0.1", 514, "server")
    head, body = target.message(Line('{"a":1}', logging.WARNING, NOW)).decode().split(" - ", 1)
    fields = head.split(" ")
    assert fields[:2] == ["<132>1", "2027-01-15T08:00:00.000Z"]
    assert fields[3] == "junctor"
    assert fields[5] == "server"
    assert body == '{"a":1}'


def test_syslog_over_udp_is_a_message_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(120)
        target = SyslogTarget("udp", "127.0.0.1", receiver.getsockname()[1], "worker")
        target.send([line("a"), line("b")])
        got = [receiver.recv(65536).decode() for _ in range(2)]
        target.close()
    assert [text.rpartition(" - ")[2] for text in got] == ['{"event": "a"}', '{"event": "b"}']


def test_syslog_over_tcp_counts_octets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = SyslogTarget("tcp", "127.0.0.1", server.getsockname()[1], "worker")
        target.send([line("ä"), line("b")])
        connection, _ = server.accept()
        target.close()
        with connection, connection.makefile("rb") as stream:
            data = stream.read()
    messages = []
    while data:
        length, _, data = data.partition(b" ")
        messages.append(data[: int(length)].decode())
        data = data[int(length) :]
    assert [text.rpartition(" - ")[2] for text in messages] == [
        json.dumps({"event": "ä"}),
        '{"event": "b"}',
    ]


def test_a_collector_that_was_restarted_gets_all_lines_from_then_on() -> None:
    """What is written to a connection that the other end has closed is lost without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = SyslogTarget("tcp", "127.0.0.1", server.getsockname()[1], "worker")
        target.send([line("a")])
        first, _ = server.accept()
        with first:
            first.recv(65536)
        target.send([line("b")])
        server.settimeout(5)
        second, _ = server.accept()
        target.close()
        with second, second.makefile("rb") as stream:
            assert stream.read().endswith(b'{"event": "b"}')


def webhook(answer: Callable[[Request], Response]) -> tuple[WebhookTarget, FakeTransport]:
    transport = FakeTransport(answer)
    return WebhookTarget("https://logs.test/x", b"secret", lambda: transport), transport


def test_a_webhook_gets_signed_batches_and_the_same_id_again() -> None:
    answers = iter([Response(503, {}, b""), Response(204, {}, b""), Response(204, {}, b"")])
    target, transport = webhook(lambda _: next(answers))
    batch = [line("a"), line("b")]
    with pytest.raises(ConnectionError):
        target.send(batch)
    target.send(batch)
    target.send([line("c")])
    target.close()
    names = [request.headers["webhook-id"] for request in transport.sent]
    assert names[0] == names[1] != names[2]
    sent = transport.sent[1]
    body = sent.body
    assert isinstance(body, bytes)
    assert [json.loads(each)["event"] for each in body.splitlines()] == ["a", "b"]
    signed = f"{names[1]}.{sent.headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"secret", signed, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_a_batch_that_a_webhook_will_never_take_is_given_up() -> None:
    target, _ = webhook(lambda _: Response(413, {}, b""))
    with pytest.raises(Unwanted, match="413"):
        target.send([line("a")])
    target.close()


def test_a_private_webhook_needs_leave_like_any_request(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_stream_secret="s")
    kind, opened = parse("http://127.0.0.1:9/x", settings, "server")
    target = opened()
    with pytest.raises(Exception, match=r"EGRESS|private|allow"):
        target.send([line("a")])
    target.close()
    assert kind == "webhook"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("file:/var/log/j.ndjson?size=100&keep=2", "file"),
        ("file:///var/log/j.ndjson", "file"),
        ("syslog+udp://h", "syslog"),
        ("syslog+tls://h:6514", "syslog"),
        ("https://h/x", "webhook"),
    ],
)
def test_destinations_are_known_by_their_scheme(address: str, kind: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_stream_secret="s")
    assert parse(address, settings, "worker-1")[0] == kind


@pytest.mark.parametrize(
    "address",
    [
        "file:relative", "file:/x?size=big", "file:/x?keep=0", "file:/x?colour=1", "syslog://h",
        "syslog+udp://", "syslog+tcp://h:99999", "ftp://h", "https://u:canary@h/x", "plain",
    ],
)  # fmt: skip
def test_destinations_that_cannot_be_meant_are_refused(address: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_stream_secret="s")
    with pytest.raises(Misconfigured, match="JUNCTOR_LOG_STREAM") as refused:
        parse(address, settings, "server")
    assert "canary" not in refused.value.message


def test_a_webhook_without_a_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="JUNCTOR_LOG_STREAM_SECRET"):
        parse("https://h/x", Settings(data_dir=tmp_path), "server")
