from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junctor.errors import NotFound
from junctor.language.ids import PREFIXES, Ids, milliseconds, read, show, uuid7

ms_values = st.integers(0, (1 << 48) - 1)
random_bytes = st.binary(min_size=10, max_size=10)


@given(ms_values, random_bytes)
def test_uuid7_has_the_layout_of_rfc_9562(ms: int, random: bytes) -> None:
    made = uuid7(ms, random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert milliseconds(made) == ms


def test_uuid7_of_the_example_of_rfc_9562() -> None:
    # appendix A.6: 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    tail = (0xCC3 << 62) | 0x18C4DC0C0C07398F
    assert uuid7(0x017F22E279B0, (tail << 6).to_bytes(10, "big")) == UUID(
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    )


def test_uuid7_refuses_too_little_randomness() -> None:
    with pytest.raises(ValueError, match="10 random bytes, not 9"):
        uuid7(0, bytes(9))


@given(st.lists(st.integers(0, 50), min_size=2, max_size=50))
def test_ids_grow_whatever_the_clock_does(clock: list[int]) -> None:
    times = iter(clock)
    ids = Ids(lambda: next(times), lambda n: b"\xff" * n)
    made = [ids.new() for _ in clock]
    assert made == sorted(set(made))


def test_ids_of_one_millisecond_run_over_into_the_next() -> None:
    ids = Ids(lambda: 5, lambda n: b"\xff" * n)
    ids.new()
    ids._tail = (1 << 74) - 1
    assert milliseconds(ids.new()) == 6


@given(st.sampled_from(sorted(PREFIXES)), st.uuids())
def test_show_and_read_are_inverse(prefix: str, id_: UUID) -> None:
    text = show(prefix, id_)
    assert read(prefix, text) == id_
    assert len(text) == len(prefix) + 27
    assert text == text.lower()


@given(st.uuids(), st.uuids())
def test_shown_ids_sort_as_ids_do(one: UUID, two: UUID) -> None:
    assert (show("run", one) < show("run", two)) == (one < two)


def test_read_forgives_what_people_mistype() -> None:
    assert read("run", "run_O1JD9VQ3C8F2K0T5M7W4X6Y8ZA") == read(
        "run", "run_0ljd9vq3c8f2k0t5m7w4x6y8za"
    )


@pytest.mark.parametrize(
    "text",
    ["", "run", "run_", "run_01", "scn_01jd9vq3c8f2k0t5m7w4x6y8za", "run_" + "u" * 26],
)
def test_read_says_what_an_id_looks_like(text: str) -> None:
    with pytest.raises(NotFound, match="is no id of a run: it starts with run_"):
        read("run", text)


def test_read_refuses_more_than_128_bits() -> None:
    with pytest.raises(NotFound, match="too large"):
        read("run", "run_" + "z" * 26)


def test_an_unknown_prefix_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'job' is not one of the prefixes"):
        show("job", UUID(int=0))
    with pytest.raises(ValueError, match="'job' is not one of the prefixes"):
        read("job", "job_x")
