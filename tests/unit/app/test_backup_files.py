"""Backups as files: whole or not there, private, and removed only if nobody asked for them."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from junctor.adapters import sealed_key
from junctor.adapters.postgres.programs import version_in
from junctor.adapters.postgres.tallies import Tally, differences
from junctor.app import backup_files as files
from junctor.errors import Conflict, Misconfigured

AT = datetime(2026, 11, 21, 17, 23, tzinfo=UTC)


def manifest(reason: str = "command", at: datetime = AT) -> files.Manifest:
    return files.Manifest(
        made_at=at,
        junctor="1",
        reason=reason,
        postgres="18.6",
        database_bytes=1,
        schema=[],
        processes=0,
        master_keys={},
        tables={"public.runs": Tally(rows=1, checksum="7")},
        files={},
    )


def test_what_is_no_backup_is_told_what_it_is(tmp_path: Path) -> None:
    backup = made(tmp_path, "a", "command")
    assert files.opened(backup)[0] == files.opened(backup / files.MANIFEST)[0] == backup
    with pytest.raises(Misconfigured, match="typo/a is not there") as told:
        files.opened(tmp_path / "typo" / "a")
    assert "junctor backup --list" in told.value.message
    with pytest.raises(Misconfigured, match=rf"holds backups.*{backup}"):
        files.opened(tmp_path)
    (tmp_path / "empty").mkdir()
    for other in (tmp_path / "empty", Path(__file__)):
        with pytest.raises(Misconfigured, match=r"is no backup: manifest\.json is missing"):
            files.opened(other)


def made(place: Path, name: str, reason: str, at: datetime = AT) -> Path:
    with files.writing(place / name) as folder:
        files.write_manifest(folder, manifest(reason, at))
    return place / name


def test_a_backup_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "database.dump").write_bytes(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError), files.writing(tmp_path / "b") as folder:
        fail(folder)
    assert list(tmp_path.iterdir()) == []
    backup = made(tmp_path, "b", "command")
    assert [path.name for path in backup.iterdir()] == ["manifest.json"]
    assert (backup.stat().st_mode & 0o777, (backup / "manifest.json").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    assert files.opened(backup / "manifest.json") == (backup, manifest())


def test_one_under_way_is_left_alone_and_a_dead_one_removed(tmp_path: Path) -> None:
    with files.writing(tmp_path / "slow") as slow:
        made(tmp_path, "fast", "command")
        assert slow.exists()
    dead = tmp_path / ".unfinished-dead"
    dead.mkdir()
    (dead / ".lock").touch()
    made(tmp_path, "next", "command")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fast", "next", "slow"]


def test_where_it_goes(tmp_path: Path) -> None:
    assert files.default_name(AT) == "junctor-20261121T172300Z"
    assert files.target(tmp_path, "n") == tmp_path / "n"
    assert files.target(tmp_path / "new", "n") == tmp_path / "new"
    backup = made(tmp_path, "b", "command")
    for taken in (backup, backup / "manifest.json"):
        with pytest.raises(Conflict, match="exists already"):
            files.target(taken, "n")


def test_only_those_made_by_themselves_are_removed(tmp_path: Path) -> None:
    for number in range(4):
        made(tmp_path, f"s{number}", "schedule", AT + timedelta(days=number))
    made(tmp_path, "mine", "command")
    assert [path.name for path in files.prune(tmp_path, "schedule", 2)] == ["s1", "s0"]
    assert [path.name for path in files.kept(tmp_path)] == ["s3", "s2", "mine"]


def test_what_is_no_backup_or_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"manifest\.json is missing"):
        files.opened(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(Misconfigured, match="can't be read"):
        files.opened(tmp_path)
    (tmp_path / "f").write_bytes(b"one")
    sums = {"f": files.file_sum(tmp_path / "f")}
    good = msgspec.structs.replace(manifest(), files=sums)
    files.check_files(tmp_path, good)
    (tmp_path / "f").write_bytes(b"two")
    with pytest.raises(Misconfigured, match="is damaged"):
        files.check_files(tmp_path, good)
    (tmp_path / "f").unlink()
    with pytest.raises(Misconfigured, match="is missing"):
        files.check_files(tmp_path, good)


def test_connectors_come_back_and_replace_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "sub").mkdir(parents=True)
    assert not files.pack(source, tmp_path / "t.tar")
    (source / "sub" / "x.json").write_text("x")
    (source / "y.json").write_text("y")
    assert files.pack(source, tmp_path / "t.tar")
    target.mkdir()
    (target / "y.json").write_text("mine")
    assert files.unpack(tmp_path / "t.tar", target) == ["y.json"]
    assert (target / "sub" / "x.json").read_text() == "x"
    assert (target / "y.json").read_text() == "mine"


@pytest.mark.parametrize("name", ["../out", "/tmp/out"])
def test_a_tar_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, BytesIO(b"x"))
    (tmp_path / "b").mkdir()
    with pytest.raises(Misconfigured, match="no file of a connector"):
        files.unpack(tmp_path / "t.tar", tmp_path / "b")
    assert not (tmp_path / "out").exists()


def test_a_key_is_sealed_by_a_long_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_key, "_N", 2**4)  # a guess need not be dear here
    key = "main:canary-key"  # a hyphen is not in base64: chance can't write it
    document = sealed_key.seal_key(key, "a long passphrase")
    assert "canary-key" not in document
    assert sealed_key.open_key(document, "a long passphrase", "f") == key
    with pytest.raises(Misconfigured, match="does not open f"):
        sealed_key.open_key(document, "another passphrase", "f")
    for wrong in ("{}", "[]", "x", document.replace("key-1", "key-2")):
        with pytest.raises(Misconfigured, match="no sealed master key"):
            sealed_key.open_key(wrong, "a long passphrase", "f")
    with pytest.raises(Misconfigured, match="has 5 characters"):
        sealed_key.seal_key("main:abc", "short")


def test_differences_are_told_by_table() -> None:
    one = Tally(rows=1, checksum="7")
    expected = {"a": one, "b": one, "c": one, "d": one}
    found = {"a": one, "b": Tally(rows=2, checksum="9"), "c": Tally(rows=1, checksum="8"), "e": one}
    assert differences(expected, found) == [
        "b has 2 rows, not 1",
        "c has rows that differ",
        "d is missing",
        "e is not in the backup",
    ]


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("pg_dump (PostgreSQL) 18.6", 18),
        ("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)", 15),
        ("", None),
    ],
)
def test_versions_of_programs_are_read(text: str, major: int | None) -> None:
    assert version_in(text) == major


def test_a_place_that_cannot_be_is_told_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"file/backups can't be made: .*JUNCTOR_BACKUP_DIR"):
        files.make_place(tmp_path / "file" / "backups")
