"""Values made from JSON Schemas: valid, and the same every time for the same seed.

Only what OpenAPI documents of the vendors use is understood; patterns by a small reader of their
own. `required_only` gives the least that fits, else every property down to a depth.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from typing import Any

from tools.conform.merging import follow

__all__ = ["Maker", "text_like"]

Schema = Mapping[str, Any]
DEEPEST = 3
"""Levels of nested objects that get their optional properties, too."""

_FORMATS = {
    "date-time": "2026-03-04T05:06:07Z",
    "date": "2026-03-04",
    "time": "05:06:07Z",
    "email": "ada@example.com",
    "uri": "https://example.com/a",
    "url": "https://example.com/a",
    "uuid": "8a6e0804-2bd0-4672-b79d-d97027f9071a",
    "phone": "+12025550142",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
    "byte": "YQ==",
}
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven")


class Maker:
    """Makes values for schemas of one document."""

    def __init__(self, document: Mapping[str, Any], seed: str, *, required_only: bool) -> None:
        self._document = document
        self._chance = random.Random(seed)  # text seeds are hashed the same on every machine
        self._least = required_only

    def asked(self, schema: Any) -> Any:
        """A value of a parameter: a list of none would not be sent at all."""
        plain = self._plain(schema, 0)
        if plain.get("type") == "array":
            plain["minItems"] = max(1, int(plain.get("minItems", 0)))
        return self.value(plain)

    def value(self, schema: Any, depth: int = 0) -> Any:
        """A value that fits; ``None`` only where nothing else would."""
        plain = self._plain(schema, depth)
        if "const" in plain:
            return plain["const"]
        choices = [each for each in plain.get("enum", ()) if each is not None]
        if choices:
            return self._chance.choice(choices)
        kind = plain.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind is None:
            kind = _guessed(plain)
        match kind:
            case "object":
                return self._object(plain, depth)
            case "array":
                least = int(plain.get("minItems", 0))
                count = max(least, 0 if self._least or depth > DEEPEST else 1)
                made = [self.value(plain.get("items", {}), depth + 1) for _ in range(count)]
                return _different(made) if plain.get("uniqueItems") else made
            case "integer" | "number":
                return self._number(plain, whole=kind == "integer")
            case "boolean":
                return self._chance.random() < 0.5
            case "null":
                return None
            case _:
                return self._text(plain)

    def _plain(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema with references followed, parts joined and one alternative chosen."""
        found = follow(self._document, schema)
        if not isinstance(found, Mapping) or depth > 12:
            return {}
        plain = dict(found)
        for part in plain.pop("allOf", ()):
            plain = _joined(plain, self._plain(part, depth + 1))
        for key in ("oneOf", "anyOf"):
            parts = [self._plain(part, depth + 1) for part in plain.pop(key, ())]
            real = [part for part in parts if part.get("type") != "null"]
            if real:
                plain = _joined(plain, real[0])
        return plain

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        rows = schema.get("properties", {})
        needed = set(schema.get("required", ()))
        made = {}
        for name, each in rows.items():
            shown = follow(self._document, each)
            if isinstance(shown, Mapping) and shown.get("readOnly"):
                continue
            # What has one value only tells alternatives apart.
            says = isinstance(shown, Mapping) and len(shown.get("enum", ())) == 1
            if name in needed or says or (not self._least and depth < DEEPEST):
                made[name] = _numbered(name, self.value(each, depth + 1))
        few = int(schema.get("minProperties", 0))
        for name in [each for each in rows if each not in made][: max(0, few - len(made))]:
            made[name] = self.value(rows[name], depth + 1)
        for name in sorted(needed - rows.keys()):
            made[name] = self._text({})
        more = schema.get("additionalProperties") or schema.get("unevaluatedProperties")
        wanted = isinstance(more, Mapping) and "not" not in more and not made
        if wanted and (few or not self._least):
            made[self._chance.choice(_WORDS)] = self.value(more, depth + 1)
        return made

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        first = 1 if low is None or isinstance(low, bool) else low
        last = first + 8 if high is None or isinstance(high, bool) else high
        first = min(first, last)
        inside = "exclusiveMinimum" in schema and not isinstance(schema["exclusiveMinimum"], bool)
        start = math.ceil(first) + (1 if inside else 0)
        if start > last:
            return first
        made = self._chance.randint(start, int(last))
        step = schema.get("multipleOf")
        if step and float(step).is_integer():
            made = -(-made // int(step)) * int(step)
        return made if whole else made * 1.0

    def _text(self, schema: Schema) -> str:
        if "pattern" in schema:
            return text_like(schema["pattern"], self._chance, least=int(schema.get("minLength", 0)))
        made = _FORMATS.get(schema.get("format", ""), "")
        if not made:
            made = f"{self._chance.choice(_WORDS)}{self._chance.randint(1, 99)}"
        while len(made) < int(schema.get("minLength", 0)):
            made += self._chance.choice("abcdefgh")
        return made[: int(schema.get("maxLength", len(made)))]


def _numbered(name: str, value: Any) -> Any:
    """Phone numbers, by the name of a field, as ones that there can be: connectors look at them."""
    if name == "phones" and isinstance(value, list):
        return [_FORMATS["phone"] for _ in value]
    return _FORMATS["phone"] if name == "phone" and isinstance(value, str) else value


def _guessed(schema: Schema) -> str:
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _joined(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    made = {**one, **other}
    for key in ("properties",):
        if key in one and key in other:
            made[key] = {**one[key], **other[key]}
    if "required" in one and "required" in other:
        made["required"] = [*one["required"], *other["required"]]
    return made


def _different(made: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in made:
        other = value
        while other in kept and isinstance(other, str | int):
            other = f"{other}x" if isinstance(other, str) else other + 1
        kept.append(other)
    return kept


# Patterns

_SETS = {"d": "0123456789", "w": "abcdefgh", "s": " ", "D": "abc", "S": "abc", "W": "-"}
_TOKEN = re.compile(
    r"(?P<part>\[(?P<set>(?:\\.|[^\]\\])+)\]|\\(?P<escaped>.)|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<bar>\|)|(?P<plain>[^\\\[\](){}|?*+^$]))(?P<count>\{\d+(?:,\d*)?\}|[?*+])?"
)


def text_like(pattern: str, chance: random.Random, *, least: int = 0) -> str:
    """A text that a regular expression matches, ``least`` characters long or longer.

    A plain word where that will do; else sets, groups, alternatives and counts are read, and
    `ValueError` says if there is more in it.
    """
    word = f"{chance.choice(_WORDS)}{chance.randint(1, 99)}"
    for made in (word, word.rstrip("0123456789")):
        if len(made) >= least and re.search(pattern, made):
            return made
    inner = pattern.removeprefix("^").removesuffix("$")
    made = _alternatives(inner, 0, chance)[0]
    last = re.search(r"(\[[^\]]+\]|\\.)[+*]$", inner)
    while last is not None and len(made) < least:
        made += _alternatives(last[1], 0, chance)[0]
    if re.search(pattern, made) is None:
        raise ValueError(f"no text could be made for the pattern {pattern!r}")
    return made


def _alternatives(pattern: str, at: int, chance: random.Random) -> tuple[str, int]:
    """One of the alternatives up to the end or a closing bracket; and where that is."""
    found: list[str] = [""]
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise ValueError(f"the pattern {pattern!r} can't be read at {at}")
        if token["close"]:
            break
        at = token.end()
        if token["bar"]:
            found.append("")
            continue
        count = token["count"]
        if token["open"]:
            inner, at = _alternatives(pattern, at, chance)
            closing = _TOKEN.match(pattern, at)
            if closing is None or not closing["close"]:
                raise ValueError(f"the pattern {pattern!r} has no closing bracket")
            at, count = closing.end(), closing["count"]
            found[-1] += inner * _least(count)
            continue
        allowed = _allowed(token)
        found[-1] += "".join(chance.choice(allowed) for _ in range(_least(count)))
    return chance.choice(found), at


def _least(count: str | None) -> int:
    if not count:
        return 1
    if count == "?":
        return 0
    # A text that may be empty is as good as none: it would not be sent.
    return 1 if count in {"+", "*"} else int(re.findall(r"\d+", count)[0])


def _allowed(token: re.Match[str]) -> str:
    if token["plain"]:
        return "a" if token["plain"] == "." else token["plain"]
    if token["escaped"]:
        return _SETS.get(token["escaped"], token["escaped"])
    inside = token["set"]
    if inside.startswith("^"):
        return "".join(each for each in "azAZ09-_" if re.match(f"[{inside}]", each))
    return "".join(each for each in map(chr, range(32, 127)) if re.match(f"[{inside}]", each))
