"""`junctor tokens`: who may use the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List, create or revoke API tokens.", cls=Listing)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists tokens, revoked ones included; never their text."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.language import ids

        async def main() -> list[Any]:
            async with session() as (core, organization_id):
                return await core.catalog.tokens(organization_id)

        found = run_async(main())
        if as_json:
            print_json({"tokens": [_record(each) for each in found]})
            return
        print_table(
            "",
            ("token", "name", "scopes", "made", "last used", "ends"),
            (
                (
                    ids.show("tok", each.id),
                    each.name,
                    ", ".join(each.scopes),
                    ago(each.created_at),
                    ago(each.used_at) or "never",
                    "revoked" if each.revoked_at else ago(each.expires_at) or "never",
                )
                for each in found
            ),
        )

    @group.command("create")
    def create(
        name: Annotated[str, typer.Argument(help="What it is for.")],
        scope: Annotated[
            list[str] | None,
            typer.Option(help="A right such as runs:read, or owner. Repeatable; owner."),
        ] = None,
        days: Annotated[int | None, typer.Option(min=1, help="Valid for so many days.")] = None,
        as_json: Json = False,
    ) -> None:
        """Creates a token and prints its text, this once."""
        from junctor.app.api.permissions import OWNER, check_scopes
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session

        scopes = check_scopes(scope or [OWNER], [OWNER])
        expires = datetime.now(UTC) + timedelta(days=days) if days else None

        async def main() -> tuple[Any, Any]:
            async with session() as (core, organization_id):
                return await core.catalog.create_token(
                    organization_id, actor=actor(), name=name, scopes=scopes, expires_at=expires
                )

        token, text = run_async(main())
        if as_json:
            print_json({**_record(token), "token": str.__str__(text)})
            return
        out = console()
        out.print(str.__str__(text), markup=False, soft_wrap=True)
        out.print("It is shown only now.", style="dim")

    @group.command("revoke")
    def revoke(
        token: Annotated[str, typer.Argument(help="Its id (tok_…), from `junctor tokens list`.")],
        as_json: Json = False,
    ) -> None:
        """Revokes a token at once."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.language import ids

        async def main() -> Any:
            async with session() as (core, organization_id):
                return await core.catalog.revoke_token(
                    organization_id, ids.read("tok", token), actor=actor()
                )

        gone = run_async(main())
        if as_json:
            print_json(_record(gone))
        else:
            console().print(f"Revoked '{gone.name}'.", markup=False)

    app.add_typer(group, name="tokens")


def _record(token: Any) -> dict[str, Any]:
    from junctor.language import ids

    return {
        "id": ids.show("tok", token.id),
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
        "revoked_at": token.revoked_at,
    }
