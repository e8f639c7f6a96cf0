"""`junctor backup`: the whole installation as a folder, while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("backup")
    def backup(
        place: Annotated[
            Path | None,
            typer.Argument(
                help="A folder for backups, or a new name; default: JUNCTOR_BACKUP_DIR."
            ),
        ] = None,
        verify: Annotated[
            bool,
            typer.Option("--verify", help="Restore it into a database of its own, and compare."),
        ] = False,
        with_key: Annotated[
            bool,
            typer.Option("--with-key", help="Put the master key beside it, under a passphrase."),
        ] = False,
        show: Annotated[
            bool, typer.Option("--list", help="Only list the backups that are there.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Backs up the database, blobs included, while everything goes on.

        With --verify and the name of a backup that exists, that one is verified. The master key is
        not part of a backup unless --with-key seals it with a passphrase: keep it elsewhere.
        """
        from junctor.app.backup import Made, make_backup
        from junctor.app.backup import verify as verify_backup
        from junctor.app.backup_files import MANIFEST
        from junctor.app.cli.output import console, print_json, size
        from junctor.app.cli.progress import Bar, ask_passphrase
        from junctor.app.cli.session import database, run_async
        from junctor.app.settings import Settings

        settings = Settings.from_env()
        if show:
            _list(place or settings.backups, as_json=as_json)
            return
        existing = place if verify and place and (place / MANIFEST).is_file() else None
        passphrase = ask_passphrase(again=True) if with_key and existing is None else None

        async def main() -> Made:
            async with database(settings, current=False) as url:
                with Bar(quiet=as_json) as progress:
                    if existing is not None:
                        return await verify_backup(settings, url, existing, progress=progress)
                    return await make_backup(
                        settings,
                        url,
                        place,
                        passphrase=passphrase,
                        check=verify,
                        progress=progress,
                    )

        made = run_async(main())
        keys = made.manifest.master_keys
        if as_json:
            print_json(
                {
                    "backup": str(made.folder),
                    "bytes": made.bytes,
                    "rows": sum(each.rows for each in made.manifest.tables.values()),
                    "verified": verify,
                    "key_included": "master.key.sealed" in made.manifest.files,
                    "master_keys": keys,
                }
            )
            return
        out = console()
        rows = sum(each.rows for each in made.manifest.tables.values())
        out.print(
            f"{made.folder}: {size(made.bytes)}, {rows:,} rows"
            + (", restored and compared." if verify else "."),
            markup=False,
        )
        if "master.key.sealed" in made.manifest.files:
            out.print("The master key is in it, sealed: keep the passphrase elsewhere.")
        else:
            if not keys:
                return  # nothing in it is sealed
            named = ", ".join(f"{name} ({print_})" for name, print_ in keys.items())
            out.print(
                f"Without the master key {named} it opens nothing. Keep a copy of that apart: "
                f"{settings.data_dir / 'master.key'}, or what JUNCTOR_MASTER_KEY holds.",
                markup=False,
            )


def _list(place: Path, *, as_json: bool) -> None:
    from junctor.app.backup_files import kept, opened
    from junctor.app.cli.output import ago, print_json, print_table, size

    found = [opened(folder) for folder in kept(place)]
    if as_json:
        print_json(
            {
                "backups": [
                    {
                        "backup": str(folder),
                        "made_at": manifest.made_at,
                        "reason": manifest.reason,
                        "junctor": manifest.junctor,
                        "bytes": sum(each.bytes for each in manifest.files.values()),
                    }
                    for folder, manifest in found
                ]
            }
        )
        return
    print_table(
        "",
        ("backup", "made", "by", "Junctor", "#size"),
        [
            (
                folder.name,
                ago(manifest.made_at),
                manifest.reason,
                manifest.junctor,
                size(sum(each.bytes for each in manifest.files.values())),
            )
            for folder, manifest in found
        ],
    )
