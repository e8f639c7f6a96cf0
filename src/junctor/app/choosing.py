"""Chooses what a blueprint's modules are bound to: as was said, as before, or as is plain.

Pure: needs, what exists and what was said go in; bindings come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from junctor.app.bindings import BINDINGS, WORDS, Creation, Need, Thing, Want, keys_of, wants_of
from junctor.errors import Misconfigured, NotFound

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a blueprint."""

    wants: list[Want]
    bindings: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def missing(self) -> list[Want]:
        """What has to be chosen before the scenario can run."""
        return [want for want in self.wants if not want.met]


def choose(
    needs: Sequence[Need],
    things: Sequence[Thing],
    *,
    mapped: Mapping[str, str] | None = None,
    before: Mapping[str, Any] | None = None,
    create: bool = False,
) -> Choice:
    """What each need is bound to.

    ``mapped`` says so by the name or id of a thing, or ``new`` (``new:NAME``) for a data store or
    structure to make, or an empty text to leave it open; its keys are what `keys_of` gives.
    ``before`` are the bindings of the version before, kept where they still fit. Otherwise a thing
    called as it was where the blueprint came from is taken, or, for connections alone, the first by
    name whose last test did not fail. With ``create`` missing data stores and structures are to be
    made. `NotFound` on a name that nothing fitting has; `Misconfigured` on a key that nothing
    answers to.
    """
    wishes = _Wishes(needs, mapped or {})
    wants: list[Want] = []
    bindings: dict[str, dict[str, str]] = {}
    for whole in wants_of(needs):
        for want in wishes.split(whole, before or {}):
            fitting = _fitting(want, things)
            wish = wishes.of(want.needs[0])
            chosen: Thing | None = None
            made: Creation | None = None
            if wish is not None and want.kind in {"store", "structure"} and _is_new(wish):
                made = _creation(want, wish)
            elif wish != "":
                if wish is not None:
                    chosen = wishes.thing(wish, want, fitting)
                if chosen is None:
                    chosen = _kept(want, fitting, before or {}) or _suggested(want, fitting)
                if chosen is None and create and want.kind in {"store", "structure"}:
                    made = _creation(want, "new")
            wants.append(replace(want, candidates=tuple(fitting), chosen=chosen, create=made))
            if chosen is not None:
                for need in want.needs:
                    bindings.setdefault(BINDINGS[want.kind], {})[need.key] = str(chosen.id)
    wishes.check()
    return Choice(wants, bindings)


class _Wishes:
    """What the caller said, and whether all of it found its place."""

    def __init__(self, needs: Sequence[Need], mapped: Mapping[str, str]) -> None:
        self.needs = needs
        self.mapped = mapped
        self.folded = {key.casefold(): key for key in mapped}
        self.failed: dict[str, NotFound] = {}
        self.used: set[str] = set()

    def split(self, want: Want, before: Mapping[str, Any]) -> list[Want]:
        """The want, in parts where its needs were wished, or were before, different things."""
        kept = before.get(BINDINGS[want.kind])
        bound = kept if isinstance(kept, Mapping) else {}
        parts: dict[tuple[str | None, Any], list[Need]] = {}
        for need in want.needs:
            parts.setdefault((self.of(need), bound.get(need.key)), []).append(need)
        return [replace(want, needs=tuple(part)) for part in parts.values()]

    def of(self, need: Need) -> str | None:
        """What was wished for it."""
        key = self._key(need)
        return None if key is None else self.mapped[key]

    def _key(self, need: Need) -> str | None:
        names = (name.casefold() for name in keys_of(need))
        return next((self.folded[name] for name in names if name in self.folded), None)

    def thing(self, wish: str, want: Want, fitting: Sequence[Thing]) -> Thing | None:
        """The thing that is called so; a failure counts only if the key found no other place."""
        key = self._key(want.needs[0]) or ""
        found = [each for each in fitting if wish in {each.name, str(each.id)}] or [
            each for each in fitting if each.name.casefold() == wish.casefold()
        ]
        if found:
            self.used.add(key)
            return found[0]
        word = WORDS[want.kind]
        what = f"'{want.of}' {word}" if want.kind == "connection" else word
        names = ", ".join(f"'{each.name}'" for each in fitting) or "none"
        self.failed[key] = NotFound(
            f"There is no {what} called '{wish}' for module {want.needs[0].module}. "
            f"There are: {names}.",
            path=want.needs[0].path,
        )
        return None

    def check(self) -> None:
        """Raises for what found no place."""
        for key, error in self.failed.items():
            if key not in self.used:
                raise error
        answered = {self._key(need) for need in self.needs}
        for key in self.mapped:
            if key not in answered:
                known = ", ".join(_told(want) for want in wants_of(self.needs)) or "none"
                raise Misconfigured(
                    f"Nothing here answers to '{key}'. What can be mapped: {known}.", path=key
                )


def _told(want: Want) -> str:
    label = f" '{want.label}'" if want.label else ""
    return f"{want.key} ({want.needs[0].name}, {WORDS[want.kind]}{label})"


def _fitting(want: Want, things: Sequence[Thing]) -> list[Thing]:
    sorts = want.needs[0].sorts
    prefers = {need.prefers for need in want.needs if need.prefers}
    return sorted(
        (
            each
            for each in things
            if each.kind == want.kind
            and (want.kind in {"store", "structure", "scenario"} or each.of == want.of)
            and (not sorts or each.sort in sorts)
            and not each.taken
        ),
        key=lambda each: (each.refused, bool(prefers) and each.sort not in prefers, each.name),
    )


def _kept(want: Want, fitting: Sequence[Thing], before: Mapping[str, Any]) -> Thing | None:
    bound = before.get(BINDINGS[want.kind], {})
    kept = bound.get(want.needs[0].key) if isinstance(bound, Mapping) else None
    return next((each for each in fitting if str(each.id) == kept), None)


def _suggested(want: Want, fitting: Sequence[Thing]) -> Thing | None:
    if want.kind == "hook":
        return None  # a new one is made; taking one over is for its owner to say
    label = want.label.casefold()
    alike = [each for each in fitting if label and each.name.casefold() == label]
    if alike:
        return alike[0]
    return fitting[0] if want.kind == "connection" and fitting else None


def _is_new(wish: str) -> bool:
    return wish == "new" or wish.startswith("new:")


def _creation(want: Want, wish: str) -> Creation:
    name = wish.partition(":")[2].strip() or want.label or f"{WORDS[want.kind]} of {want.key}"
    return Creation(want.kind, name[:200], tuple(need.key for need in want.needs))
