"""Connections. Each says which of the three roles it works as; none can bypass row-level security.

The role is a start-up option of the connection, so `RESET ROLE` comes back to it and not to the log-in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from app.actor import Actor

DatabaseRole = Literal["shuitu_owner", "shuitu_service", "shuitu_map"]


@dataclass(frozen=True, slots=True)
class Dsns:
    """libpq connection strings, one a role."""

    owner: str
    service: str
    map: str
    admin: str | None = None
    """A log-in that may create roles and extensions, where there is one."""


def as_role(dsn: str, role: DatabaseRole) -> str:
    """The same log-in, working as `role` from the first statement on."""
    facts = conninfo_to_dict(dsn)
    options = f"{facts.get('options') or ''} -c role={role} -c timezone=UTC".strip()
    return make_conninfo(dsn, options=options, application_name=role)


def external(database_url: str, owner_url: str | None = None) -> Dsns:
    """Connection strings for a database of the operator's own."""
    owner = owner_url or database_url
    return Dsns(
        owner=as_role(owner, "shuitu_owner"),
        service=as_role(database_url, "shuitu_service"),
        map=as_role(database_url, "shuitu_map"),
        admin=owner,
    )


def engine(dsn: str, *, pool_size: int = 5) -> Engine:
    """A synchronous engine on psycopg 3."""
    # All of the connection string goes to libpq as it is: sockets, services and options included.
    return create_engine(
        "postgresql+psycopg://",
        connect_args=dict(conninfo_to_dict(dsn)),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
    )


def scope_settings(actor: Actor) -> dict[str, str]:
    """The custom settings that row-level security reads, for this actor."""
    j = actor.jurisdiction
    return {
        "app.scope_lo": str(j.lo),
        "app.scope_hi": str(j.hi),
        "app.scope_basin": "" if j.basin is None else str(j.basin),
        "app.actor_id": "" if actor.user_id is None else str(actor.user_id),
    }


def enter_scope(session: Session, actor: Actor) -> None:
    """Bind this transaction to the actor's jurisdiction. It ends with the transaction."""
    session.execute(
        text(
            "select set_config(name, value, true) from unnest(cast(:names as text[]), cast(:values as text[])) s(name, value)"
        ),
        {"names": list(settings := scope_settings(actor)), "values": list(settings.values())},
    )


@contextmanager
def transaction(engine: Engine, actor: Actor) -> Iterator[Session]:
    """One transaction in the actor's scope: committed at the end, rolled back on any exception."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        enter_scope(session, actor)
        yield session


def driver_of(session: Session) -> psycopg.Connection[Any]:
    """The psycopg connection beneath this session: the same transaction."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the one driver
    return connection
