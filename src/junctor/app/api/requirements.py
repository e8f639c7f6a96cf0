"""What a blueprint asks for, as the API shows it, and blueprints as they were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from junctor.app.api.http import ApiRequest
from junctor.app.api.permissions import may
from junctor.app.bindings import PREFIXES, Thing, Want
from junctor.errors import Forbidden
from junctor.language import ids

__all__ = [
    "RequirementView",
    "RequirementsView",
    "exact_blueprint",
    "permit_of",
    "requirement_view",
]


class CandidateView(msgspec.Struct):
    """Something that a requirement can be mapped to."""

    id: str
    name: str
    refused: bool


class RequirementView(msgspec.Struct, kw_only=True):
    """One thing that modules are bound to here. ``key`` names it in ``map``, as its label does."""

    key: str
    kind: str
    of: str
    type: str
    label: str
    modules: list[int]
    required: bool
    met: bool
    chosen: CandidateView | None
    create: str | None
    candidates: list[CandidateView]


class RequirementsView(msgspec.Struct):
    """All of a draft's requirements."""

    items: list[RequirementView]


class RawBlueprint(msgspec.Struct):
    """The same body once more, so that the blueprint's numbers keep their spelling."""

    blueprint: msgspec.Raw = msgspec.Raw()


def requirement_view(want: Want) -> RequirementView:
    """One requirement, with what fits and what was chosen."""
    return RequirementView(
        key=want.key,
        kind=want.kind,
        of=want.of,
        type=want.type,
        label=want.label,
        modules=[need.module for need in want.needs],
        required=want.required,
        met=want.met,
        chosen=_candidate(want.chosen) if want.chosen is not None else None,
        create=want.create.name if want.create is not None else None,
        candidates=[_candidate(each) for each in want.candidates],
    )


def _candidate(thing: Thing) -> CandidateView:
    return CandidateView(ids.show(PREFIXES[thing.kind], thing.id), thing.name, thing.refused)


async def exact_blueprint(request: ApiRequest, read: dict[str, Any] | str) -> bytes | str:
    """The blueprint as it was sent: a reader of JSON would change how its numbers look.

    ``read`` is what a reader made of it; a text is the blueprint's own JSON.
    """
    if isinstance(read, str):
        return read
    return bytes(msgspec.json.decode(await request.body(), type=RawBlueprint).blueprint)


def permit_of(request: ApiRequest) -> Callable[[str, str], None]:
    """Refuses to make a thing that the token could not make by its own route."""
    scopes = request.user.scopes

    def permit(right: str, name: str) -> None:
        if not may(scopes, right):
            raise Forbidden(
                f"This makes '{name}', and this token lacks '{right}'. Take a token that has it, "
                "or map what exists.",
                right=right,
            )

    return permit
