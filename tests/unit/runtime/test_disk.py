"""Levels of free disk, with a probe that is told what to see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from junctor.runtime.disk import HARD, SAID, SOFT, Disk, Limit, read_limit, room_of

GB = 10**9
HOME = {"the database": Path("/db")}


class Volume:
    """A probe."""

    def __init__(self, free: int, total: int = 100 * GB) -> None:
        self.free = free
        self.total = total
        self.now = 1000.0

    def __call__(self, _path: Path) -> tuple[int, int]:
        return self.free, self.total

    def disk(self, paths: Mapping[str, Path] = HOME) -> Disk:
        return Disk(paths, probe=self, clock=lambda: self.now)


def test_levels_are_told_once_and_end_with_some_play() -> None:
    volume = Volume(50 * GB)
    disk = volume.disk()
    levels = []
    steps = (50.0, 2.1, 1.9, 1.8, 0.4, 0.6, 0.76, 0.8, 2.9, 3.1, 1.9)
    for free in steps:
        volume.free = int(free * GB)
        worse = [each.level for each in disk.look()]
        levels.append((disk.level, worse))
    assert levels == [
        ("ok", []),
        ("ok", []),
        ("low", ["low"]),
        ("low", []),
        ("full", ["full"]),
        ("full", []),  # over the limit of 500 MB again, but not by half
        ("low", []),  # 760 MB are
        ("low", []),
        ("low", []),
        ("ok", []),
        ("low", ["low"]),
    ]


def test_a_small_volume_goes_by_its_share() -> None:
    volume = Volume(5 * 1024**2, 64 * 1024**2)
    disk = volume.disk()
    disk.look()
    assert (disk.level, disk.full) == ("low", False)
    volume.free = 1024**2
    disk.look()
    assert disk.full


def test_what_can_not_be_seen_counts_for_nothing(tmp_path: Path) -> None:
    disk = Disk({"gone": tmp_path / "gone", "here": tmp_path})
    disk.look()
    assert list(disk.seen) == ["here"]
    assert room_of(tmp_path)[0] <= room_of(tmp_path)[1]


def test_the_databases_word_is_believed_for_a_while() -> None:
    volume = Volume(50 * GB)
    disk = volume.disk()
    disk.look()
    disk.said_full()
    assert disk.full
    volume.now += SAID
    assert not disk.full


def test_limits_are_read_from_settings() -> None:
    assert read_limit("10%/2GB") == SOFT
    assert read_limit("2% / 500 MB") == HARD
    assert read_limit("1.5gb").of(100 * GB) == 1.5 * GB
    assert read_limit("5%").of(100) == 5
    assert read_limit("4096") == Limit(1.0, 4096)
    made = Settings.from_env({"JUNCTOR_DISK_HARD": "1%", "JUNCTOR_DATABASE_DISK": "/db"})
    assert (made.disk_hard.share, made.database_disk) == (0.01, Path("/db"))
    for wrong in ("much", "200%", "%", "2XB"):
        with pytest.raises(Misconfigured, match="JUNCTOR_DISK_SOFT"):
            Settings.from_env({"JUNCTOR_DISK_SOFT": wrong})


def test_a_mail_accounts_password_is_not_told() -> None:
    made = Settings.from_env({"JUNCTOR_SMTP_URL": "smtps://u:canary@mail.example.com"})
    assert "canary" not in repr(made)
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env({"JUNCTOR_SMTP_URL": "https://u:canary@mail.example.com"})
    assert "canary" not in str(caught.value)
