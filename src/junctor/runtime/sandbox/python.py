"""Python, by Monty: an interpreter of a part of the language, without I/O, in a process of its own.

Monty's process is started by this one and stands behind the same walls.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pydantic_monty as monty

from junctor.runtime.sandbox.wire import LOG_LIMIT, NotData, pack, unpack

__all__ = ["NAMES", "run"]

_INPUT = """
class Input:
    def __init__(self, _values):
        self._values = _values
        for _name in _values:
            setattr(self, _name, _values[_name])
    def __getitem__(self, name):
        return self._values[name]
    def __contains__(self, name):
        return name in self._values
    def __iter__(self):
        return iter(self._values)
    def get(self, name, default=None):
        return self._values.get(name, default)
    def keys(self):
        return self._values.keys()
    def values(self):
        return self._values.values()
    def items(self):
        return self._values.items()
input = Input(_given)
"""
NAMES = ("result", "output")
"""Variables that hold the result of code that does not return one."""
_TIME = re.compile(r"TimeoutError: .*(time|sleep) limit exceeded")
_PART = re.compile(r"Not\w+Error: The monty syntax parser does not yet support (.*)")


def run(source: str, given: Any, *, seconds: float, memory: int, binary: str) -> dict[str, Any]:
    """What the code returned, or how it failed: an answer of `entry`."""
    printed: list[str] = []
    room = LOG_LIMIT

    def keep(_stream: str, text: str) -> None:
        nonlocal room
        if room > 0:
            printed.append(text[:room])
            room -= len(text)

    limits: monty.ResourceLimits = {
        "max_feed_duration_secs": seconds,
        "max_memory": memory,
        "max_recursion_depth": 500,
        "max_total_sleep_secs": seconds,
    }
    answer: dict[str, Any]
    with (
        monty.Monty(binary_path=binary, max_processes=1) as pool,
        pool.checkout(script_name="code", limits=limits) as session,
    ):
        try:
            session.feed_run(_INPUT, inputs={"_given": _plain(unpack(given))})
            found = session.feed_run(source, print_callback=keep)
            if found is None:
                found = _named(session)
            answer = {"ok": json.dumps(pack(_data(found)))}
        except NotData as error:
            answer = {"kind": "result", "message": str(error)}
        except RecursionError:
            answer = {"kind": "result", "message": "it is nested too deeply, or holds itself"}
        except monty.MontySyntaxError as error:
            answer = {"kind": "syntax", **_said(error)}
        except monty.MontyRuntimeError as error:
            answer = {"kind": _kind(error), **_said(error)}
        except monty.MontyCrashedError as error:
            kind = "time" if error.timed_out else "crash"
            answer = {"kind": kind, "message": str(error)}
    return {**answer, "logs": "".join(printed).removesuffix("\n")}


def _plain(value: Any) -> Any:
    return {str(name): item for name, item in value.items()}


def _named(session: monty.MontySession) -> Any:
    for name in NAMES:
        try:
            return session.feed_run(name)
        except monty.MontyRuntimeError:
            continue
    return None


def _data(value: Any) -> Any:
    if isinstance(value, monty.MontyClassProxy):
        raise NotData(f"it is of the class {value.name}")
    return value


def _kind(error: monty.MontyRuntimeError) -> str:
    text = error.display("type-msg")
    if _TIME.match(text):
        return "time"
    if text.startswith("MemoryError:"):
        return "memory"
    if _PART.match(text):
        return "syntax"
    return "stack" if text.startswith("RecursionError:") else "raised"


def _said(error: monty.MontySyntaxError | monty.MontyRuntimeError) -> dict[str, Any]:
    text = error.display("type-msg")
    name, _, message = text.partition(": ")
    part = _PART.match(text)
    if part:
        name, message = "", f"code steps know a part of Python, without {part[1]}"
    frames = error.traceback()
    return {"name": name, "message": message, "line": frames[-1].line if frames else None}
