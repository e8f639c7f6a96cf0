"""Code steps in real processes: what comes back, and what hostile code can't do."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from junctor.errors import DataError
from junctor.language.asks.code import Language, RunCode
from junctor.runtime.services import code as service
from junctor.runtime.services.code import Sandbox, execute, walls

pytestmark = pytest.mark.skipif(
    os.uname().sysname != "Linux" or os.uname().machine not in {"x86_64", "aarch64"},
    reason="code steps are shut in on Linux, x86-64 and aarch64",
)


def js(source: str, seconds: float = 60, **given: Any) -> Any:
    return execute(RunCode("javascript", source, given, seconds))["result"]


def py(source: str, seconds: float = 60, **given: Any) -> Any:
    return execute(RunCode("python", source, given, seconds))["result"]


def failure(language: Language, source: str, seconds: float = 60, **given: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        execute(RunCode(language, source, given, seconds))
    return caught.value


# Values.

VALUES = [
    None,
    True,
    "é\u2028\N{GRINNING FACE}",
    "",
    0,
    -1.5,
    2**53 + 1,
    -(2**63) + 1,
    b"\x00\xff",
    [],
    {},
    [1, [None, {"a": {"b": [b"x"]}}]],
    {"$": ["bytes", "not base64!"], "__proto__": 1, "": 2},
]


def test_values_come_back_as_they_went() -> None:
    assert js("return input.v", v=VALUES) == VALUES
    assert py("return input.v", v=VALUES) == VALUES


def test_dates_are_texts_inside_and_dates_outside() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    source = "return [input.d, new Date(input.d), new Date(NaN)]"
    assert js(source, d=moment) == ["2026-01-02T03:04:05.678Z", moment, None]
    source = "import datetime\nreturn [input.d, datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)]"
    assert py(source, d=moment) == ["2026-01-02T03:04:05.678Z", moment]


def test_javascript_gives_what_its_own_json_would_give_and_more() -> None:
    source = """
      return {n: NaN, i: Infinity, u: undefined, f: () => 1, a: [undefined, () => 1],
        big: 2n ** 80n, set: new Set([1]), map: new Map([["k", 2]]), e: new TypeError("t"),
        j: {toJSON() { return "own" }}, buffer: new ArrayBuffer(2)}
    """
    assert js(source) == {
        "n": None,
        "i": None,
        "a": [None, None],
        "big": str(2**80),
        "set": [1],
        "map": {"k": 2},
        "e": {"name": "TypeError", "message": "t"},
        "j": "own",
        "buffer": b"\0\0",
    }
    assert js("") is None
    assert js("const {a, b = 2} = input; return a + b + (await Promise.resolve(1))", a=1) == 4


def test_python_returns_names_or_ends_with_its_result() -> None:
    assert py("return input['a'] + input.b + input.get('c', 3)", a=1, b=2) == 6
    assert py("result = {'x': (1, 2), 3: {1}, None: 1}") == {"x": [1, 2], "3": [1], "null": 1}
    assert py("output = 5") == 5
    assert py("input.a * 2", a=4) == 8
    assert py("import math\nreturn [math.nan, 2 ** 80]") == [None, str(2**80)]
    assert py("import json, re\nreturn json.dumps(re.findall('a.', input.t))", t="abac") == (
        '["ab", "ac"]'
    )


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "console.log('a', {b: 1}); console.error(2)"),
        ("python", "print('a', '{\"b\":1}')\nprint(2)"),
    ],
)
def test_what_is_printed_is_kept(language: Language, source: str) -> None:
    assert execute(RunCode(language, source)) == {"result": None, "logs": 'a {"b":1}\n2'}


# Errors that their author can act on.


@pytest.mark.parametrize(
    ("language", "source", "kind", "line", "text"),
    [
        ("javascript", "let a = 1;\nlet b = (;", "syntax", 2, "line 2: SyntaxError: unexpected"),
        ("javascript", "\n\ninput.x.y", "raised", 3, "line 3: TypeError: cannot read property 'y'"),
        ("javascript", "throw 'odd'", "raised", None, "Error: odd"),
        ("javascript", "return () => 1", "result", None, "no data: it is a function"),
        ("javascript", "return {a: [Promise.resolve(1)]}", "result", None, "it.a[0] is a promise"),
        ("javascript", "const a = []; a[0] = a; return a", "result", None, "or holds itself"),
        ("javascript", "await new Promise(() => 1)", "waits", None, "promise that nothing keeps"),
        ("javascript", "return new Date(8e15)", "", None, "outside of the years"),
        ("python", "x = 1\nx = (", "syntax", 2, "line 2: SyntaxError"),
        ("python", "def f():\n    return 1 / 0\nf()", "raised", 2, "line 2: ZeroDivisionError"),
        ("python", "class A:\n    pass\nreturn A()", "result", None, "of the class A"),
        ("python", "import requests", "raised", 1, "No module named 'requests'"),
        ("python", "def f():\n    yield 1", "syntax", 2, "without yield expressions"),
    ],
)
def test_errors_say_where_and_what(
    language: Language, source: str, kind: str, line: int | None, text: str
) -> None:
    error = failure(language, source)
    assert text in error.message
    assert error.params.get("kind", "") == kind
    assert line is None or error.params["line"] == line


# Too much of something.


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "for (;;);"),
        ("javascript", "for (;;) await null"),
        ("javascript", "try { for (;;); } finally { for (;;); }"),
        ("javascript", "for (;;) { try { for (;;); } catch (e) {} }"),
        ("javascript", "/(a+)+$/.test('a'.repeat(60) + 'b')"),
        ("javascript", "return {toJSON() { for (;;); }}"),
        ("python", "while True:\n    pass"),
        (
            "python",
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        ),
        ("python", "import time\ntime.sleep(100)"),
    ],
)
def test_time_ends(language: Language, source: str) -> None:
    error = failure(language, source, 0.4)
    assert "longer than 0.4 seconds" in error.message


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "const a = []; for (;;) a.push(new Array(1e5).fill(1))"),
        ("javascript", "let a = 'x'; for (;;) a += a"),
        ("javascript", "return new ArrayBuffer(2 ** 32)"),
        ("javascript", "const a = []; for (;;) a.push(new Uint8Array(1e6))"),
        ("python", "a = []\nwhile True:\n    a.append('x' * 100000)"),
        ("python", "return 'x' * 10 ** 10"),
        ("python", "return 2 ** 10 ** 10"),
    ],
)
def test_memory_ends(language: Language, source: str) -> None:
    error = failure(language, source)
    assert error.params.get("kind") in {"memory", "raised"}
    assert "memory" in error.message or "length" in error.message


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "(function f() { f() })()"),
        ("javascript", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a"),
        ("javascript", "return JSON.parse('['.repeat(1e6))"),
        ("javascript", "(" * 50_000),
        ("python", "def f():\n    f()\nf()"),
        ("python", "a = []\nfor i in range(100000):\n    a = [a]\nreturn a"),
        ("python", "(" * 50_000),
        ("python", "return " + "-" * 50_000 + "1"),
    ],
)
def test_depth_ends(language: Language, source: str) -> None:
    assert len(failure(language, source).message) < 1000


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "return 'é'.repeat(30e6)"),
        ("python", "return 'x' * 30000000"),
    ],
)
def test_a_huge_result_is_refused(language: Language, source: str) -> None:
    assert "16 MB" in failure(language, source).message


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "for (let i = 0; i < 1e4; i++) console.log('x'.repeat(1e4))"),
        ("python", "for i in range(10000):\n    print('x' * 10000)"),
    ],
)
def test_only_the_first_of_much_that_is_printed_is_kept(language: Language, source: str) -> None:
    answer = execute(RunCode(language, source))
    assert 60_000 < len(answer["logs"]) <= 65_536


def test_huge_code_and_input_are_refused() -> None:
    assert "longer than" in failure("javascript", " " * 600_000).message
    assert "map less" in failure("javascript", "", v="x" * 17_000_000).message


# Ways out.


@pytest.mark.parametrize(
    "source",
    [
        "this.constructor.constructor('return process')()",
        "(() => {}).constructor('return process')().exit()",
        "require('fs')",
        "await import('os')",
        "await import('/etc/passwd')",
        "fetch('http://127.0.0.1')",
        "new WebSocket('ws://127.0.0.1')",
        "setTimeout(() => 1)",
        "std.open('/etc/passwd')",
        "os.exec(['id'])",
        "new Worker('x')",
        "scriptArgs[0]",
    ],
)
def test_javascript_finds_no_way_out(source: str) -> None:
    message = failure("javascript", source).message
    assert "is not defined" in message or "could not load" in message or "not a func" in message


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "import socket",
        "import ctypes",
        "import os\nos.system('id')",
        "import os\nos.listdir('/')",
        "import os\nos.environ['PATH']",
        "import os\nos.getenv('PATH')[0]",
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "open('/tmp/made', 'w').write('x')",
        "from pathlib import Path\nPath('/etc/passwd').read_text()",
        "from pathlib import Path\nPath('/tmp/made').symlink_to('/etc/passwd')",
        "().__class__.__base__.__subclasses__()",
        "(lambda: 0).__globals__",
        "__import__('os')",
        "__builtins__",
        "import sys\nsys.modules['os']",
        "import sys\nsys.stdout.buffer.write(b'x')",
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.fork()",
        "import os\nos.urandom(4)",
    ],
)
def test_python_finds_no_way_out(source: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    source = source.replace("/tmp/made", str(made))
    assert failure("python", source).params["kind"] in {"raised", "syntax"}
    assert not made.is_symlink()
    assert not made.exists()


def test_globals_show_nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUNCTOR_DATABASE_URL", "postgresql://secret-of-the-test")
    names = js("return Object.getOwnPropertyNames(globalThis)")
    hidden = {"process", "require", "fetch", "std", "os", "print", "Deno", "WebAssembly"}
    assert not hidden & set(names)
    seen = str(js("return Object.entries(Object.getOwnPropertyDescriptors(globalThis)).join()"))
    assert "secret-of-the-test" not in seen


def test_an_answer_can_not_be_forged() -> None:
    forged = '{"ok": "\\"forged\\"", "walls": []}'
    assert execute(RunCode("javascript", "console.log(input.f); return 1", {"f": forged})) == {
        "result": 1,
        "logs": forged,
    }
    spoilt = """
      JSON.stringify = () => '"forged"'; Array.prototype.map = () => ["forged"];
      Promise.prototype.then = () => "forged"; Object.keys = () => ["forged"];
      String.prototype.slice = () => "forged";
      return [1, 2]
    """
    assert js(spoilt) == [1, 2]
    assert js("return {$: ['bytes', '%%%']}") == {"$": ["bytes", "%%%"]}


def test_steps_share_nothing() -> None:
    for language in ("javascript", "python"):
        first = execute(RunCode(language, "globalThis.kept = 1" if language[0] == "j" else "k = 1"))
        assert first["result"] in {None, 1}
    assert js("return typeof kept") == "undefined"
    assert "NameError" in failure("python", "k").message


def test_every_step_has_a_process_of_its_own_which_ends() -> None:
    ask = RunCode("javascript", "return 1")
    one, other = Sandbox("javascript"), Sandbox("javascript")
    assert one.pid != other.pid
    assert one.run(ask).ok == other.run(ask).ok == "1"
    assert not one.alive
    assert not Path(f"/proc/{one.pid}").exists()


def test_no_process_is_left_after_a_python_step_that_does_not_end() -> None:
    sandbox = Sandbox("python")
    sandbox.await_ready()
    assert sandbox.run(RunCode("python", "while True:\n    pass", {}, 0.3)).kind == "time"
    while _group(sandbox.pid):  # killed, and perhaps not gone yet
        pass


def test_the_process_has_no_environment_no_files_and_no_privileges() -> None:
    os.environ["JUNCTOR_TEST_SECRET"] = "x"
    leak = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leak, True)
    sandbox = Sandbox("javascript")
    try:
        sandbox.await_ready()
        place = Path(f"/proc/{sandbox.pid}")
        status = dict(
            line.split(":\t", 1)
            for line in (place / "status").read_text().splitlines()
            if "\t" in line
        )
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        if os.geteuid() == 0:  # else it is not ours to look at: it is not dumpable
            assert (place / "environ").read_bytes() == b""
            assert {each.name for each in (place / "fd").iterdir()} == {"0", "1", "2"}
            assert (place / "cwd").readlink() == Path("/")
    finally:
        sandbox.end()
        os.close(leak)
        del os.environ["JUNCTOR_TEST_SECRET"]


def _group(number: int) -> list[str]:
    left = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(number) and fields[0] != "Z":
            left.append(place.parent.name)
    return left


def test_the_walls_that_must_stand_do() -> None:
    for language in ("javascript", "python"):
        standing = walls(language)
        assert {"interpreter", "limits", "privileges", "seccomp"} <= set(standing)


# The service.


async def _ask(source: str) -> Any:
    return await service.run(RunCode("javascript", source), None)  # type: ignore[arg-type]  # it asks nothing of the run


def test_the_service_starts_the_next_process_ahead() -> None:
    import asyncio

    async def several() -> list[Any]:
        return await asyncio.gather(*(_ask(f"return {number}") for number in range(5)))

    assert [each["result"] for each in asyncio.run(several())] == [0, 1, 2, 3, 4]
    waiting = service._spares._waiting["javascript"]
    assert waiting.alive
    service._spares.end()
    assert not waiting.alive
