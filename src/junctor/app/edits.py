"""Changes of bundles as people write them: whole bundles, or values at places in them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from junctor.app.logs import MASK
from junctor.errors import Misconfigured
from junctor.language.connector import Bundle

__all__ = ["Edit", "check_counts", "edits_of", "patched", "read_set"]

_PART = re.compile(r"([^.\[\]]+)((?:\[[0-9]+\])*)")
_INDEX = re.compile(r"\[([0-9]+)\]")


@dataclass(slots=True)
class Edit:
    """What is to be changed of one module's bundle on the way that failed."""

    module: int
    bundle: Bundle | None = None
    """In its place; ``None``: the recorded one stays."""
    values: dict[str, Any] = field(default_factory=dict)
    """Set in it, by path: ``customer.lines[1].sku``; lists count from 1, as in mappings."""


def edits_of(given: Mapping[Any, Any]) -> list[Edit]:
    """Edits from ``{module: bundle}``, as a file has them."""
    made = []
    for module, bundle in given.items():
        if not str(module).isdecimal() or not isinstance(bundle, Mapping):
            raise Misconfigured(
                f"Edits are written as {{module: bundle}}; {module!r} is not a module's number "
                "with an object.",
                path=str(module),
            )
        made.append(Edit(int(module), dict(bundle)))
    return made


def read_set(text: str) -> Edit:
    """``3.customer.name=Jana``; a value that is JSON is taken so, anything else as text."""
    import msgspec

    place, sign, value = text.partition("=")
    module, _, path = place.strip().partition(".")
    if not sign or not path or not module.isdecimal():
        raise Misconfigured(f"Write '{text}' as MODULE.path=value, such as 3.customer.name=Jana.")
    try:
        found: Any = msgspec.json.decode(value.encode())
    except (ValueError, RecursionError):
        found = value
    return Edit(int(module), values={path: found})


def patched(edit: Edit, bundle: Bundle | None) -> Bundle:
    """The bundle as it is to be; ``bundle`` is the one that is recorded.

    `Misconfigured` if there is nothing to change, or a place is not in it.
    """
    made = edit.bundle if edit.bundle is not None else bundle
    if edit.bundle is not None and _masked(edit.bundle):
        raise Misconfigured(
            f"The bundle for module {edit.module} holds '{MASK}': secrets are masked wherever "
            "bundles are shown. Change only the values that you mean, by their paths.",
            module=edit.module,
        )
    if made is None:
        raise Misconfigured(
            f"Nothing is recorded that module {edit.module} gave on this way, so a value in it "
            "can't be changed; give its whole bundle.",
            module=edit.module,
        )
    for path, value in edit.values.items():
        steps: list[str | int] = []
        for name in path.split("."):
            match = _PART.fullmatch(name)
            if match is None:
                raise Misconfigured(
                    f"'{path}' is no path; write one such as customer.lines[1].sku.", path=path
                )
            steps += [match[1], *(int(index) for index in _INDEX.findall(match[2]))]
        made = _put(made, steps, value, path)
    return made


def check_counts(had: Mapping[int, int], now: Mapping[int, int], anew: Container[int]) -> None:
    """`Misconfigured` if an iterator between an edited bundle and the failure gives more or fewer.

    A run goes on with the bundles that were given, so others would be left out without a word.
    ``anew``: modules that are done again, however many they give.
    """
    for module, count in had.items():
        if module not in anew and now.get(module, count) != count:
            raise Misconfigured(
                f"Edited so, module {module} gives {now[module]} bundles in place of {count}, but "
                f"a run goes on with those that it had. Begin from module {module} "
                f"(`--from {module}`): that gives them anew.",
                module=module,
            )


def _masked(value: Any) -> bool:
    """Whether something was copied from where secrets are masked."""
    if isinstance(value, Mapping):
        return any(map(_masked, value.values()))
    if isinstance(value, list):
        return any(map(_masked, value))
    return isinstance(value, str) and MASK in value


def _put(within: Any, steps: list[str | int], value: Any, path: str) -> Any:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(step, str):
        if within is not None and not isinstance(within, Mapping):
            raise Misconfigured(f"'{path}' leads into something that is no object.", path=path)
        inside = dict(within or {})
        inside[step] = _put(inside.get(step), rest, value, path)
        return inside
    if not isinstance(within, list) or not 1 <= step <= len(within) + 1:
        count = len(within) if isinstance(within, list) else 0
        raise Misconfigured(
            f"'{path}' asks for item {step} of {count}; one more than there are adds one.",
            path=path,
        )
    items = [*within, None] if step > len(within) else list(within)
    items[step - 1] = _put(items[step - 1], rest, value, path)
    return items
