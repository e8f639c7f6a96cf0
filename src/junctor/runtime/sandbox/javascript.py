"""JavaScript, by QuickJS: the language's own objects and a console, nothing else.

Values cross as tagged JSON (`wire`), read and written by ``prelude.js``.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import _quickjs

from junctor.runtime.sandbox.wire import DEEPEST, LOG_LIMIT

__all__ = ["run"]

_STACK = 1024 * 1024
_PRELUDE = (
    (Path(__file__).parent / "prelude.js")
    .read_text(encoding="utf-8")
    .replace("LEVELS", str(DEEPEST))
    .replace("ROOM", str(LOG_LIMIT))
)
_LINE = re.compile(r"<input>:(\d+)")
_BEFORE = 2  # lines that the constructor of functions puts before the code


_NAMED = re.compile(r"(?:(\w+): )?(.*)", re.DOTALL)


def run(source: str, given: Any, *, seconds: float, memory: int) -> dict[str, Any]:
    """What the code returned, or how it failed: an answer of `entry`."""
    context = _quickjs.Context()
    context.set_memory_limit(memory)
    context.set_max_stack_size(_STACK)
    context.set_time_limit(seconds)
    host = context.eval(_PRELUDE)
    end = time.monotonic() + seconds
    try:
        host("start", source, json.dumps(given))
        while not host("done"):
            if not context.execute_pending_job():
                return _failed("waits", "", "", logs=host("logs"))
            if time.monotonic() > end:
                return _failed("time", "", "", logs=host("logs"))
        text, logs = host("text"), host("logs")
        if not host("failed"):
            return {"ok": text, "logs": logs}
        syntax = host("syntax")
    except _quickjs.StackOverflow:
        return _failed("stack", "", "")
    except _quickjs.JSException as error:  # what the code can't catch ends up here
        return _thrown(str(error))
    said = json.loads(text)
    if said.get("data"):
        return _failed("result", "", said["message"], logs=logs)
    if said["name"] == "InternalError" or "call stack" in said["message"]:
        answer = _thrown(f"{said['name']}: {said['message']}\n{said['stack']}")
        return {**answer, "logs": logs}
    kind = "syntax" if syntax else "raised"
    return _failed(kind, said["name"], said["message"], line=_line(said["stack"]), logs=logs)


def _thrown(text: str) -> dict[str, Any]:
    head, _, stack = text.partition("\n    at ")
    name, message = _NAMED.fullmatch(head).groups(default="")  # type: ignore[union-attr]  # it matches any text
    kind = (
        "time"
        if message.startswith("interrupted")
        else "memory"
        if message.startswith(("out of memory", "string too long"))
        else "stack"
        if "call stack" in message or "stack overflow" in message
        else "raised"
    )
    return _failed(kind, name, message.strip(), line=_line(stack))


def _line(stack: str) -> int | None:
    found = _LINE.search(stack)
    line = int(found[1]) - _BEFORE if found else 0
    return line if line > 0 else None


def _failed(
    kind: str, name: str, message: str, *, line: int | None = None, logs: str = ""
) -> dict[str, Any]:
    return {"kind": kind, "name": name, "message": message, "line": line, "logs": logs}
