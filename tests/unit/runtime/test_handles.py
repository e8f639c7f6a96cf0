"""The key of an operation, and what a module makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from junctor.connectors.crisp import crisp
from junctor.engine.commands import Address
from junctor.runtime.handles import key_of, with_handle

RUN, OTHER = UUID(int=1), UUID(int=2)


def test_every_attempt_of_an_operation_has_its_key_and_no_other_has_it() -> None:
    address = Address(0, 2, (0, 1))
    key = key_of(RUN, address)
    assert len(key) == 64
    assert key_of(RUN, Address(0, 2, (0, 1), attempt=3)) == key
    others = [
        Address(1, 2, (0, 1)),
        Address(0, 3, (0, 1)),
        Address(0, 2, (0, 2)),
        Address(0, 2, ()),
    ]
    assert len({key, key_of(OTHER, address), *(key_of(RUN, each) for each in others)}) == 6


def test_a_module_without_a_handle_gets_its_arguments_as_they_are() -> None:
    module = crisp.modules["sendMessage"]
    given: dict[str, Any] = {"content": "Hi", "fingerprint": None}
    address = Address(0, 2, ())
    assert with_handle(replace(module, handle=None), given, RUN, address) is given
    sent = with_handle(module, given, RUN, address)
    assert sent["fingerprint"] == int(key_of(RUN, address)[:12], 16)
    assert given["fingerprint"] is None
    own = {"content": "Hi", "fingerprint": 5}
    assert with_handle(module, own, RUN, address)["fingerprint"] == 5
