"""`junctor run settle`: a word counts for the attempt that whoever says it has seen."""

from __future__ import annotations

import asyncio
import io
import shlex
from typing import Any

import psycopg
import pytest

from junctor.app.core import open_core
from junctor.app.owner import ensure_organization
from junctor.app.settings import Settings
from junctor.engine.commands import Address
from junctor.engine.journal import Journal, encode_segment
from junctor.language import ids
from junctor.runtime.flight import segment_aad
from tests.durability.kit import new_id


class Terminal(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


def doubtful(url: str, *attempts: int) -> str:
    """An uncertain run; each of these attempts of its module 2 was in doubt, the last one is."""
    run_id = new_id()

    async def begin() -> None:
        async with open_core(Settings.from_env(), url) as core:
            organization = await ensure_organization(core)
            async with core.engine.connection() as connection:
                await connection.execute(
                    "insert into runs (organization_id, id, retention, scenario_id, version, state,"
                    " actor, started_at) values"
                    " (%s, %s, 'standard', %s, 1, 'uncertain', 't', now())",
                    (organization, run_id, new_id()),
                )

    asyncio.run(begin())
    run = ids.show("run", run_id)
    for seq, attempt in enumerate(attempts):
        doubt(url, run, attempt, seq=seq)
    return run


def doubt(url: str, run: str, attempt: int, *, seq: int) -> None:
    """An attempt of it comes into doubt."""
    journal = Journal()
    summary = {"at": 5.0, "method": "POST", "url": f"https://v.test/{attempt}"}
    at = Address(0, 2, (0,), attempt)
    journal.intent(at, 0, b"h", {**summary, "arguments": {"to": "+1202555"}})
    journal.end({"status": "uncertain", "failed": [0, 2, [0], attempt]})
    made = journal.take()
    assert made is not None
    raw, run_id = encode_segment(made.raw), ids.read("run", run)

    async def store() -> None:
        async with open_core(Settings.from_env(), url) as core:
            organization = await ensure_organization(core)
            keyring = await core.vault.keyring(organization)
            data = keyring.seal(raw, segment_aad(organization, run_id, seq))
            async with core.engine.connection() as connection:
                await connection.execute(
                    "insert into segments (organization_id, run_id, retention, seq, data)"
                    " values (%s, %s, 'standard', %s, %s)",
                    (organization, run_id, seq, data),
                )

    asyncio.run(store())


def state(url: str, run: str) -> str:
    with psycopg.connect(url) as db:
        row = db.execute("select state from runs where id = %s", (ids.read("run", run),)).fetchone()
    assert row is not None
    return str(row[0])


def test_the_first_doubt_of_a_run_is_settled_by_a_script_and_never_a_second(
    junctor: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    first = doubtful(database_url, 0)
    assert junctor("run", "settle", first, "--not-done").code == 0
    assert state(database_url, first) == "waiting"
    assert junctor("run", "settle", first, "--not-done").code == 1  # nothing is in doubt

    second = doubtful(database_url, 0, 1)
    refused = junctor("run", "settle", second, "--done", "--bundle", '{"id": 7}')
    assert refused.code == 2
    assert state(database_url, second) == "uncertain"
    assert junctor("run", "settle", second, "--not-done", "--json").code == 2
    command = " ".join(refused.err.split()).partition("is meant: ")[2]
    words = shlex.split(command)
    assert words[:3] == ["junctor", "run", "settle"]
    assert words[3:] == [second, "--attempt", "0:2:0:1", "--done", "--bundle", '{"id": 7}']
    late = junctor("run", "settle", second, "--attempt", "0:2:0:0", "--done")
    assert (late.code, state(database_url, second)) == (1, "uncertain")
    assert junctor(*words[1:]).code == 0
    assert state(database_url, second) == "waiting"


def test_a_person_sees_what_was_sent_and_is_asked(
    junctor: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = doubtful(database_url, 0, 1)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    said = junctor("run", "settle", run, "--not-done")
    assert (said.code, state(database_url, run)) == (1, "uncertain")
    for shown in ("https://v.test/1", "+1202555", "1970", "in doubt once before", "sent again"):
        assert shown in said.err, shown
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert junctor("run", "settle", run, "--not-done").code == 0
    assert state(database_url, run) == "waiting"

    # Whoever names the attempt has seen it.
    run = doubtful(database_url, 0)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert junctor("run", "settle", run, "--done", "--attempt", "0:2:0:0").code == 0


def test_a_yes_is_for_what_was_shown_when_it_was_asked(
    junctor: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = doubtful(database_url, 0)

    class Slow(Terminal):
        """Meanwhile somebody else settled that, and the next attempt is in doubt."""

        def readline(self, *_: Any) -> str:  # type: ignore[override]  # text, as StringIO's
            doubt(database_url, run, 1, seq=1)
            return "y\n"

    monkeypatch.setattr("sys.stdin", Slow())
    said = junctor("run", "settle", run, "--done")
    assert (said.code, state(database_url, run)) == (1, "uncertain")
    assert "0:2:0:0" in said.err
    assert "is not what is in doubt now" in " ".join(said.err.split())
