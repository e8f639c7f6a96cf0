"""How `activate` and `deactivate` say what they did."""

from __future__ import annotations

import typer

from junctor.app.activation import Activated
from junctor.app.cli.output import console, print_json
from junctor.language import ids

__all__ = ["show_switched"]


def show_switched(done: Activated, urls: list[str], *, says: str, as_json: bool) -> None:
    """Prints the scenario's state and hooks; exit code 1 if a vendor does not agree.

    ``urls``: where its hooks are reached, in their order.
    """
    hooks = [
        {
            "id": ids.show("hok", hook.id),
            "url": url,
            "registered": hook.registration is not None,
            "error": hook.registration_error,
        }
        for hook, url in zip(done.hooks, urls, strict=True)
    ]
    if as_json:
        print_json(
            {
                "id": ids.show("scn", done.scenario.id),
                "name": done.scenario.name,
                "active": done.scenario.active,
                "hooks": hooks,
                "warnings": done.warnings,
            }
        )
    else:
        out = console()
        out.print(f"'{done.scenario.name}' {says}.", markup=False)
        for hook in hooks:
            state = " (registered with the vendor)" if hook["registered"] else ""
            out.print(f"Hook {hook['url']}{state}", markup=False, soft_wrap=True)
        for line in done.warnings:
            out.print(line, style="yellow", markup=False)
    if done.warnings:
        raise typer.Exit(1)
