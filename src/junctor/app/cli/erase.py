"""`junctor erase`: a person's data, found and erased everywhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from junctor.app.erase import Report

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("erase")
    def erase(
        phone: Annotated[
            list[str] | None, typer.Option(help="A phone number, +12025550142. Repeatable.")
        ] = None,
        email: Annotated[
            list[str] | None, typer.Option(help="An e-mail address. Repeatable.")
        ] = None,
        text: Annotated[
            list[str] | None, typer.Option(help="Words, such as a full name. Repeatable.")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only say what would be erased.")
        ] = False,
        thorough: Annotated[
            bool, typer.Option("--thorough", help="Open every run; do not trust the index.")
        ] = False,
        include_queued: Annotated[
            bool, typer.Option("--include-queued", help="Deliveries that wait, too.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Erases a person's data from runs, data stores and all else. It can't be undone."""
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.erase import erase as do
        from junctor.app.views_erase import erasure_record
        from junctor.language.people import Person

        if not (phone or email or text):
            raise Usage("Say who: --phone, --email or --text, several of each if need be.")
        if not dry_run and not yes:
            if as_json or not sys.stdin.isatty():
                raise Usage("Say --yes, as what is erased can't be brought back.")
            typer.confirm("What is erased can't be brought back. Go on?", abort=True)

        async def main() -> Report:
            async with session() as (core, organization_id):
                organization = await core.catalog.organization(organization_id)
                person = Person(
                    phones=phone or (),
                    emails=email or (),
                    words=text or (),
                    region=organization.country,
                )
                return await do(
                    core,
                    organization_id,
                    person,
                    actor=actor(),
                    dry_run=dry_run,
                    thorough=thorough,
                    include_queued=include_queued,
                )

        report = run_async(main())
        if as_json:
            print_json(erasure_record(report))
            return
        _show(report)


def _show(report: Report) -> None:
    from junctor.app.cli.output import console, print_table

    print_table(
        "",
        ("where", "#found" if report.dry_run else "#erased"),
        report.counts.items(),
    )
    if not report.counts:
        console().print("Nothing names them.")
    if report.left:
        print_table("Found, and left as it is:", ("where", "#found"), report.left.items())
    if report.unfinished:
        runs = ", ".join(report.unfinished)
        console().print(
            "These runs have not ended; if they go on, it is with what was put in place: " + runs,
            markup=False,
            style="yellow",
        )
