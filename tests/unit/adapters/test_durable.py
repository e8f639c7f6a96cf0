"""Whatever was promised to be on the disk can also be found there after a power cut."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from junctor.adapters.durable import make_folder
from junctor.adapters.spool import Record, SpoolFolder, pack
from junctor.app.backup_files import writing

Synced = Callable[[], set[Path]]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Synced:
    """What was made durable so far."""
    found: set[Path] = set()
    real = os.fsync

    def fsync(handle: int) -> None:
        found.add(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return lambda: found


def test_a_folder_is_named_durably_and_so_are_those_above_it(
    tmp_path: Path, synced: Synced
) -> None:
    made = tmp_path / "a" / "b" / "c"
    make_folder(made, 0o700)
    assert synced() == {tmp_path, tmp_path / "a", tmp_path / "a" / "b"}
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    synced().clear()
    make_folder(made)
    assert synced() == set()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "x")


def test_the_first_spooled_delivery_is_found_again(tmp_path: Path, synced: Synced) -> None:
    place = tmp_path / "data" / "spool"
    spool = SpoolFolder(place, most_bytes=1 << 20, keep_free=0)
    spool.append([pack(Record(UUID(int=1), UUID(int=2), b"sealed"))])
    (segment,) = place.glob("*.spool")
    assert synced() >= {tmp_path, tmp_path / "data", place, segment}
    spool.close()


def test_the_first_backup_is_found_again(tmp_path: Path, synced: Synced) -> None:
    with writing(tmp_path / "far" / "away" / "b") as folder:
        (folder / "database.dump").write_bytes(b"x")
    assert synced() >= {tmp_path, tmp_path / "far", tmp_path / "far" / "away"}
