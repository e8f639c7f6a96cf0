"""``junctor eval``: evaluates templates without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["evaluate_line", "evaluate_request", "register"]

_BUNDLES = "an object of bundles by module number"
_SHAPE = '{"expr": text, "bundles": {number: {…}}}'


def register(app: typer.Typer) -> None:
    """Adds the command ``eval``."""
    app.command("eval")(evaluate)


def evaluate(
    template: Annotated[
        str | None, typer.Argument(help="A text with {{expressions}}.", show_default=False)
    ] = None,
    bundles: Annotated[
        str, typer.Option(help='Bundles by module number, as JSON: {"1": {"name": "Ann"}}.')
    ] = "{}",
    batch: Annotated[
        Path | None,
        typer.Option(help="A file of lines {expr, bundles}, or -; prints a result line for each."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Evaluates a template over bundles, in the time zone UTC."""
    import msgspec  # other commands start without it

    if (template is None) == (batch is None):
        raise typer.BadParameter("give a template, or --batch with a file")
    if batch is not None:
        try:
            with nullcontext(sys.stdin.buffer) if str(batch) == "-" else batch.open("rb") as lines:
                for line in _results(lines):
                    sys.stdout.write(line + "\n")
        except OSError as error:
            raise typer.BadParameter(f"{batch} can't be read: {error.strerror}") from error
        return
    try:
        given = msgspec.json.decode(bundles)
    except ValueError as error:
        raise typer.BadParameter(f"--bundles is not valid JSON: {error}") from error
    result = evaluate_request({"expr": template, "bundles": given})
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    elif "error" not in result:
        value = result["value"]
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        sys.stdout.write(shown + "\n")
    else:
        sys.stderr.write(result["error"]["message"] + "\n")
    if "error" in result:
        raise typer.Exit(1)


def _results(lines: Any) -> Iterator[str]:
    import msgspec  # other commands start without it

    for line in lines:
        yield msgspec.json.encode(evaluate_line(line)).decode()


def evaluate_line(line: bytes) -> dict[str, Any]:
    """The result of one ``{"expr", "bundles"}``: ``{"value"}`` or ``{"error"}``; never raises."""
    import msgspec  # other commands start without it

    try:
        return evaluate_request(msgspec.json.decode(line))
    except (ValueError, RecursionError) as error:
        return _error("input", f"The line is not valid JSON: {error}")


def evaluate_request(request: Any) -> dict[str, Any]:
    """As `evaluate_line`, of what the line holds."""
    import msgspec  # other commands start without it

    from junctor.errors import JunctorError  # so too
    from junctor.language.expressions import compile_template  # so too
    from junctor.language.values import kind, plain  # so too

    if not isinstance(request, dict):
        return _error("input", f"The line must be {_SHAPE}; it holds {kind(request)}.")
    if "expr" not in request:
        return _error("input", f"The line must be {_SHAPE}; 'expr' is missing.")
    expression, bundles = request["expr"], request.get("bundles") or {}
    if not isinstance(expression, str):
        return _error("input", f"'expr' must be a text; it is {kind(expression)}.")
    if not isinstance(bundles, dict):
        return _error("input", f"'bundles' must be {_BUNDLES}; it is {kind(bundles)}.")
    numbers = {}
    for key, value in bundles.items():
        if not (key.isascii() and key.isdigit()):
            return _error("input", f"'bundles' must be {_BUNDLES}; '{key}' is no number.")
        numbers[int(key)] = value
    slots = {module: slot for slot, module in enumerate(numbers, 1)}
    try:
        result = {
            "value": plain(compile_template(expression, slots)([_scope(), *numbers.values()]))
        }
        msgspec.json.encode(result)  # a value that no JSON can carry is an answer too: this error
    except JunctorError as error:
        return _error(error.code, error.message)
    except Exception as error:
        return _error("fault", f"{type(error).__name__}: {error}")
    return result


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _scope() -> Any:
    """The process's own clock and randomness: there is no run here to take them from."""
    import random  # other commands start without it
    import uuid  # so too
    from datetime import UTC, datetime  # so too

    from junctor.language.expressions import Scope  # so too

    return Scope(
        now=lambda: datetime.now(UTC), random=random.random, uuid=lambda: str(uuid.uuid4())
    )
