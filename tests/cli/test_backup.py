"""`junctor backup` and `junctor restore`, as somebody types them."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Command
from tests.conftest import on


@pytest.mark.timeout(300)  # several copies of a database, on a busy machine
def test_a_backup_is_made_listed_verified_and_restored(
    junctor: Command, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert junctor("tokens", "create", "me", "--scope", "owner").code == 0
    monkeypatch.setenv("JUNCTOR_BACKUP_PASSPHRASE", "correct horse battery")
    place = tmp_path / "b"
    said = junctor("backup", str(place), "--with-key", "--json")
    assert said.code == 0, said.err
    assert said.json["backup"] == str(place)
    assert said.json["key_included"] is True
    assert said.json["rows"] > 40
    again = junctor("backup", str(place))
    assert again.code == 1
    assert "exists already" in again.err
    assert "b" in junctor("backup", str(tmp_path), "--list").out
    listed = junctor("backup", str(tmp_path), "--list", "--json").json["backups"]
    assert [each["reason"] for each in listed] == ["command"]
    assert junctor("backup", str(place), "--verify", "--json").json["verified"] is True

    full = junctor("restore", str(place), "--into", database_url)
    assert full.code == 1
    assert "only into an empty one" in full.err
    assert junctor("restore", str(place), "--active", "--moved").code == 2
    name = f"cli_restored_{tmp_path.name}"[:60].replace("-", "_")
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(f"create database {name}")
        try:
            done = junctor("restore", str(place), "--into", on(database_url, name), "--json")
            assert done.code == 0, done.err
            assert done.json["how"] == "copy"
            assert done.json["rows"] == said.json["rows"]
            monkeypatch.setenv("JUNCTOR_DATABASE_URL", on(database_url, name))
            assert "me" in junctor("tokens", "list").out
        finally:
            db.execute(f"drop database {name} with (force)")


def test_what_is_no_backup_begins_nothing(
    junctor: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUNCTOR_DATABASE_URL", raising=False)
    monkeypatch.setenv("JUNCTOR_DATA_DIR", str(tmp_path / "data"))
    said = junctor("restore", str(tmp_path / "typo"))
    assert said.code == 1
    assert "is not there" in said.err
    assert not (tmp_path / "data").exists()


def test_a_passphrase_is_not_asked_of_nobody(
    junctor: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUNCTOR_BACKUP_PASSPHRASE", raising=False)
    said = junctor("backup", str(tmp_path / "b"), "--with-key")
    assert said.code == 1
    assert "JUNCTOR_BACKUP_PASSPHRASE" in said.err
    assert not (tmp_path / "b").exists()
