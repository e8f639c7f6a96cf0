"""The tree of commands for people: Typer reads their words, explains them and lists them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from junctor.app.cli.main import COMMANDS

__all__ = ["app"]


class Lazy(TyperGroup):
    """A group that imports a command's file when the command is called, and not before."""

    listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        """Names, in the order people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """The command itself; for the list of commands only its name and line."""
        if cmd_name not in COMMANDS:
            return None
        module, line = COMMANDS[cmd_name]
        if self.listing:
            return TyperCommand(cmd_name, help=line)
        app = typer.Typer(rich_markup_mode="rich")
        import_module(f"junctor.app.cli.{module}").register(app)
        found = typer.main.get_group(app).commands[cmd_name]
        found.help = found.help or line
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Lists commands without importing them."""
        self.listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self.listing = False


app = typer.Typer(
    cls=Lazy,
    name="junctor",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Self-hosted automation for the systems a business talks to people with.",
)


@app.callback()
def _root() -> None:
    """Self-hosted automation for the systems a business talks to people with."""
