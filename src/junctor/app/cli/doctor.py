"""`junctor doctor`: is the installation well, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("doctor")
    def doctor(
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Checks the installation and says how to mend what is wrong. Exit 1 if anything is."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async
        from junctor.app.doctor import examine
        from junctor.app.settings import Settings

        findings = run_async(examine(Settings.from_env().as_running()))
        well = all(finding.ok for finding in findings)
        if as_json:
            rows = [
                {"check": f.check, "ok": f.ok, "message": f.message, "mend": f.mend}
                for f in findings
            ]
            print_json({"ok": well, "checks": rows})
        else:
            out = console()
            for finding in findings:
                mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
                out.print(mark, end=" ")
                out.print(f"{finding.check}: {finding.message}", markup=False)
                if finding.mend:
                    out.print(f"    {finding.mend}", markup=False, style="yellow")
        if not well:
            raise typer.Exit(1)
