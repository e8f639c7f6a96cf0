"""The spool's files: what was acknowledged is read again, whatever a crash or the disk does."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.adapters.spool import Record, SpoolFolder, SpoolFull, look, pack, scan
from junctor.language.ids import uuid7

RECORDS = st.builds(Record, st.uuids(), st.uuids(), st.binary(max_size=200))
THREE = [Record(UUID(int=1), UUID(int=n), bytes([n]) * n * 9) for n in range(1, 4)]
MB = 1 << 20


def folder(path: Path, **given: int) -> SpoolFolder:
    return SpoolFolder(path / "spool", **{"most_bytes": MB, "keep_free": 0, **given})


def drained(spool: SpoolFolder) -> list[Record]:
    out: list[Record] = []
    while (segment := spool.oldest()) is not None:
        found = spool.read(segment)
        out += found.records
        spool.finish(segment, damaged=bool(found.damaged))
    return out


@given(st.lists(RECORDS))
def test_what_was_packed_is_read(records: list[Record]) -> None:
    found = scan(b"".join(map(pack, records)))
    assert found.records == tuple(records)
    assert (found.torn, found.damaged) == (0, ())


def test_cut_at_every_byte_the_whole_ones_are_read_and_nothing_is_damage() -> None:
    packed = [pack(record) for record in THREE]
    data = b"".join(packed)
    ends = [sum(map(len, packed[:n])) for n in range(4)]
    for cut in range(len(data) + 1):
        found = scan(data[:cut])
        whole = max(n for n, end in enumerate(ends) if end <= cut)
        assert found.records == tuple(THREE[:whole]), cut
        assert found.torn == cut - ends[whole], cut
        assert found.damaged == (), cut


def test_zeros_where_the_file_had_grown_are_no_damage() -> None:
    found = scan(pack(THREE[0]) + bytes(100))
    assert (found.records, found.torn, found.damaged) == ((THREE[0],), 100, ())


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_costs_one_record_and_is_told(where: int, change: int) -> None:
    packed = [pack(record) for record in THREE]
    data = bytearray(b"".join(packed))
    at = where % len(data)
    data[at] ^= change
    hit = next(n for n in range(3) if at < sum(map(len, packed[: n + 1])))
    found = scan(bytes(data))
    assert found.records == tuple(each for n, each in enumerate(THREE) if n != hit)
    assert found.torn == 0
    assert found.damaged == ((sum(map(len, packed[:hit])), sum(map(len, packed[: hit + 1]))),)


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    found = scan(data)
    assert found.torn + sum(end - at for at, end in found.damaged) <= len(data)


def test_appended_read_and_gone(tmp_path: Path) -> None:
    spool = folder(tmp_path, segment_bytes=1)
    for record in THREE:
        spool.append([pack(record)])
    assert look(tmp_path / "spool").deliveries == 3
    assert look(tmp_path / "spool").segments == 3
    assert spool.size == sum(len(pack(record)) for record in THREE)
    assert drained(spool) == THREE
    assert spool.size == 0
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    spool = folder(tmp_path)
    spool.append([pack(THREE[0])])
    spool.refuse(THREE[1])
    for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    spool.close()


def test_what_a_process_left_is_taken_over_once_it_is_gone(tmp_path: Path) -> None:
    first, second = folder(tmp_path), folder(tmp_path)
    first.append([pack(THREE[0])])
    assert second.adopt() == 0  # its owner lives
    first.close()
    second.append([pack(THREE[1])])
    assert second.adopt() == 1
    assert second.adopt() == 0
    assert drained(second) == THREE[:2]  # the older one first
    second.close()


def test_a_full_spool_takes_nothing_more(tmp_path: Path) -> None:
    packed = pack(THREE[2])
    spool = folder(tmp_path, most_bytes=2 * len(packed))
    spool.append([packed, packed])
    with pytest.raises(SpoolFull):
        spool.append([packed])
    assert drained(spool) == [THREE[2]] * 2
    spool.append([packed])
    spool.close()


def test_a_disk_that_must_keep_room_takes_nothing(tmp_path: Path) -> None:
    spool = folder(tmp_path, keep_free=1 << 62)
    with pytest.raises(SpoolFull, match="disk"):
        spool.append([pack(THREE[0])])
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_failed_to_be_written_is_not_found_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = folder(tmp_path)
    spool.append([pack(THREE[0])])
    with monkeypatch.context() as patched:

        def broken(_fd: int) -> None:
            raise OSError(5, "Input/output error")

        patched.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            spool.append([pack(THREE[1])])
    spool.append([pack(THREE[2])])
    assert drained(spool) == [THREE[0], THREE[2]]
    spool.close()


def test_a_damaged_segment_is_set_aside_whole(tmp_path: Path) -> None:
    spool = folder(tmp_path)
    spool.append([pack(record) for record in THREE])
    (path,) = (tmp_path / "spool").glob("*.spool")
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    assert drained(spool) == THREE[1:]
    (aside,) = look(tmp_path / "spool").aside
    assert aside == f"{path.stem}.damaged"
    assert (tmp_path / "spool" / "aside" / aside).read_bytes() == data
    spool.close()


def test_what_lies_there_is_counted_also_by_who_takes_it_over(tmp_path: Path) -> None:
    before = time.time()
    spool = folder(tmp_path, segment_bytes=1)
    assert (spool.records, spool.oldest_at) == (0, None)
    spool.append([pack(THREE[0]), pack(THREE[1])])
    spool.append([pack(THREE[2])])
    assert spool.records == 3
    assert spool.oldest_at is not None
    assert before - 1 <= spool.oldest_at <= time.time()
    seen = look(tmp_path / "spool")
    assert (seen.deliveries, seen.oldest_at) == (3, spool.oldest_at)
    first = spool.oldest_at
    spool.close()
    heir = folder(tmp_path)
    assert heir.adopt() == 2
    assert (heir.records, heir.oldest_at) == (3, first)
    assert len(drained(heir)) == 3
    assert (heir.records, heir.oldest_at, look(tmp_path / "spool").oldest_at) == (0, None, None)


def test_a_segment_is_counted_up_to_its_damage(tmp_path: Path) -> None:
    where = tmp_path / "spool"
    where.mkdir()
    packed = [pack(record) for record in THREE]
    (where / f"{uuid7(5_000, bytes(10))}.spool").write_bytes(b"".join((*packed, packed[0][:-1])))
    heir = folder(tmp_path)
    assert heir.adopt() == 1
    assert (heir.records, heir.oldest_at) == (3, 5.0)


def test_a_segment_that_can_not_be_opened_keeps_no_other_from_it(tmp_path: Path) -> None:
    spool = folder(tmp_path, segment_bytes=1)
    for record in THREE:
        spool.append([pack(record)])
    spool.close()
    first, *_ = sorted((tmp_path / "spool").glob("*.spool"))
    data = first.read_bytes()
    first.unlink()
    first.mkdir()  # nobody can open it for writing, whoever runs this
    heir = folder(tmp_path)
    assert heir.adopt() == 2
    assert list(heir.unread) == [first.name]
    assert look(tmp_path / "spool").unread == (first.name,)
    assert drained(heir) == THREE[1:]
    first.rmdir()
    first.write_bytes(data)
    assert heir.adopt() == 1
    assert (heir.unread, drained(heir)) == ({}, [THREE[0]])
    heir.close()


def test_what_a_crash_left_of_making_a_segment_is_removed(tmp_path: Path) -> None:
    where = tmp_path / "spool"
    where.mkdir()
    left, full, made_now = (where / f"{name}.new" for name in ("left", "full", "now"))
    for path in (left, full, made_now):
        path.touch()
    full.write_bytes(b"x")
    for path in (left, full):
        os.utime(path, (1, 1))
    folder(tmp_path)
    assert {path.name for path in where.iterdir()} == {"full.new", "now.new"}
