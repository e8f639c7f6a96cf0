"""Groups of commands that list what there is when no command is named.

`junctor hooks`, `junctor hooks list`, `junctor runs` and `junctor runs list` all do what they say.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

__all__ = ["Listed", "Listing"]


class Listing(TyperGroup):
    """A group with a command ``list``, which is what its bare name does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts ``list`` where no command is named."""
        bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if bare else args)


class Listed(TyperGroup):
    """A group that lists without a command, and takes ``list`` for the same."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leaves ``list`` out."""
        return super().parse_args(ctx, args[1:] if args[:1] == ["list"] else args)
