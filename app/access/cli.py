"""`shuitu user …` and `shuitu key …`."""

import json
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import select

from app.access import service
from app.access.models import User
from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services


def commands(services: Callable[[], Services]) -> tuple[typer.Typer, typer.Typer]:
    """The two groups of commands, on the services that the command line wires."""
    user = typer.Typer(no_args_is_help=True, help="账号 · accounts")
    key = typer.Typer(no_args_is_help=True, help="API 密钥 · API keys")

    @user.command("add")
    def add(
        username: str,
        role: Annotated[Role, typer.Option(help="viewer analyst officer admin")],
        jurisdiction: Annotated[str, typer.Option(help="nation, a GB/T 2260 prefix, or basin:N")],
        password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
        display_name: str = "",
    ) -> None:
        """Add an account. Example: shuitu user add gaoyou --role officer --jurisdiction 321084"""
        with transaction(services().engine, system("user-add")) as tx:
            made = service.add_user(
                tx, username, password, role, parse_jurisdiction(jurisdiction), display_name
            )
            typer.echo(json.dumps({"id": made.id, "username": made.username}))

    @user.command("list")
    def list_users() -> None:
        """List the accounts. Example: shuitu user list"""
        with transaction(services().engine, system("user-list")) as tx:
            for found in tx.scalars(select(User).order_by(User.username)):
                scope = (
                    f"basin:{found.scope_basin}"
                    if found.scope_basin
                    else f"{found.scope_lo}–{found.scope_hi}"
                )
                typer.echo(
                    f"{found.username}\t{found.role}\t{scope}\t{'' if found.is_active else '停用 disabled'}"
                )

    @user.command("password")
    def password(
        username: str,
        password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    ) -> None:
        """Set a password; its log-ins end. Example: shuitu user password gaoyou"""
        with transaction(services().engine, system("user-password")) as tx:
            service.set_password(tx, username, password)

    @user.command("disable")
    def disable(username: str) -> None:
        """Close an account. Example: shuitu user disable gaoyou"""
        with transaction(services().engine, system("user-disable")) as tx:
            service.disable(tx, username)

    @key.command("add")
    def add_key(username: str, label: str = "key", days: int | None = None) -> None:
        """Make an API key; its text is shown this once. Example: shuitu key add gaoyou --label QGIS"""
        with transaction(services().engine, system("key-add")) as tx:
            made, text = service.add_key(tx, service.find_user(tx, username).id, label, days)
            typer.echo(json.dumps({"id": made.id, "key": text}))

    @key.command("list")
    def list_keys(username: str) -> None:
        """List the keys of an account. Example: shuitu key list gaoyou"""
        with transaction(services().engine, system("key-list")) as tx:
            for found in service.keys_of(tx, service.find_user(tx, username).id):
                typer.echo(f"{found.id}\t{found.prefix}\t{found.label}\t{found.last_used_at or ''}")

    @key.command("revoke")
    def revoke(username: str, key_id: int) -> None:
        """Revoke a key. Example: shuitu key revoke gaoyou 3"""
        with transaction(services().engine, system("key-revoke")) as tx:
            service.revoke_key(tx, service.find_user(tx, username).id, key_id)

    return user, key


def parse_jurisdiction(text: str) -> Jurisdiction:
    """`nation`, a GB/T 2260 prefix of 2, 4 or 6 digits, or `basin:N`. Raises InvalidInput."""
    if text in ("nation", "全国"):
        return Jurisdiction.nation()
    kind, _, number = text.partition(":")
    if kind == "basin" and number.isdigit():
        return Jurisdiction.of_basin(int(number))
    return Jurisdiction.of_region(text)
