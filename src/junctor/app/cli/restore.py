"""`junctor restore`: a backup into an empty database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("restore")
    def restore(
        place: Annotated[Path, typer.Argument(help="The backup: its folder, or a file in it.")],
        into: Annotated[
            str | None,
            typer.Option(
                help="URL of an empty database; default: JUNCTOR_DATABASE_URL, or our own."
            ),
        ] = None,
        active: Annotated[
            bool,
            typer.Option("--active", help="The original is gone: scenarios that were on go on."),
        ] = False,
        moved: Annotated[
            bool,
            typer.Option(
                "--moved", help="The original was stopped before the backup: everything goes on."
            ),
        ] = False,
        with_key: Annotated[
            bool, typer.Option("--with-key", help="Open the sealed master key with its passphrase.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Restores a backup into an empty database and compares it with what was backed up.

        So that nothing is sent twice, scenarios and channels of notifications are off and schedules
        paused afterwards, and what was under way is set aside as incomplete runs; --active and
        --moved say otherwise.
        """
        import os
        from contextlib import AsyncExitStack

        from junctor.app.backup_files import opened
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.output import print_json
        from junctor.app.cli.progress import VARIABLE, Bar, ask_passphrase
        from junctor.app.cli.session import actor, database, run_async
        from junctor.app.refill import Restored
        from junctor.app.restore import restore_backup
        from junctor.app.settings import Settings

        if active and moved:
            raise Usage("--active and --moved exclude each other: say one.")
        opened(place)  # before there is a database for it
        settings = Settings.from_env()
        passphrase = ask_passphrase(again=False) if with_key else os.environ.get(VARIABLE) or None

        async def main() -> Restored:
            async with AsyncExitStack() as stack:
                url = into
                if url is None:
                    url = await stack.enter_async_context(database(settings, current=False))
                settings.ensure_data_dir()
                with Bar(quiet=as_json) as progress:
                    return await restore_backup(
                        settings,
                        url,
                        place,
                        how="moved" if moved else "active" if active else "copy",
                        actor=actor(),
                        passphrase=passphrase,
                        progress=progress,
                    )

        done = run_async(main())
        if as_json:
            print_json(
                {
                    "made_at": done.manifest.made_at,
                    "rows": sum(each.rows for each in done.manifest.tables.values()),
                    "how": done.how,
                    "migrations": done.migrations,
                    "set_aside": done.set_aside,
                    "switched_off": done.switched_off,
                    "channels_off": done.channels_off,
                    "keys": done.keys,
                    "connectors_kept": done.connectors_kept,
                }
            )
            return
        _tell(done)


def _tell(done: object) -> None:
    from junctor.app.cli.output import ago, console
    from junctor.app.refill import Restored

    assert isinstance(done, Restored)
    out = console()

    def say(line: str) -> None:
        out.print(line, markup=False)

    rows = sum(each.rows for each in done.manifest.tables.values())
    say(f"Restored the backup of {ago(done.manifest.made_at)}: {rows:,} rows, all as they were.")
    if done.keys:
        say(f"Data keys that the master key opens: {done.keys}, which is all.")
    if done.migrations:
        say(f"Migrations applied: {', '.join(done.migrations)}.")
    if done.set_aside:
        say(
            f"Runs and deliveries that were under way: {done.set_aside}, incomplete runs now. "
            "`junctor runs --state incomplete` lists them."
        )
    if done.switched_off:
        say(
            f"Scenarios that were active and are off: {len(done.switched_off)}, "
            f"{', '.join(done.switched_off[:10])}{', …' if len(done.switched_off) > 10 else ''}. "
            "`junctor activate NAME` switches one on; until then nothing is registered at vendors."
        )
    if done.channels_off:
        more = ", …" if len(done.channels_off) > 10 else ""
        say(
            "These notification channels are off, as they tell the people of the original: "
            f"{', '.join(done.channels_off[:10])}{more}. "
            "`junctor notifications enable NAME` switches one on."
        )
    for name in done.connectors_kept:
        say(f"The connector file {name} is here with other contents and was left as it is.")
    say("Start it with `junctor up`; `junctor doctor` checks everything then.")
