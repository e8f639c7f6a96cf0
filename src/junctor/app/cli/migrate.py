"""`junctor migrate`: the schema of this release."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("migrate")
    def migrate(
        check: Annotated[
            bool, typer.Option("--check", help="Only say what is missing; exit 1 if anything is.")
        ] = False,
        no_backup: Annotated[
            bool,
            typer.Option("--no-backup", help="Do not back up our own database before."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Brings the database to this release's schema. Safe to repeat, beside running servers.

        Our own database is backed up before, where the disk has room; yours is your business.
        """
        from junctor.adapters.postgres.migrate import pending
        from junctor.app.backup import bring_up_to_date
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import database, run_async
        from junctor.app.settings import Settings

        settings = Settings.from_env()

        async def main() -> list[str]:
            async with database(settings, current=False) as url:
                if check:
                    return await pending(url)
                return await bring_up_to_date(
                    settings, url, backup=not no_backup, say=console(stderr=True).print
                )

        names = run_async(main())
        if as_json:
            print_json({"pending" if check else "applied": names})
        elif not names:
            console().print("The schema is current.")
        else:
            word = "Missing" if check else "Applied"
            console().print(f"{word}: {', '.join(names)}", markup=False)
        if check and names:
            raise typer.Exit(1)
