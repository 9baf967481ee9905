"""Bring a database to the present schema: administrator's part, migrations, views, functions of the map tables."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from app.db.engine import Dsns, engine
from app.errors import ConfigurationError
from layers import catalog
from tiles import functions

HERE = Path(__file__).resolve().parent
BOOTSTRAP = HERE / "sql" / "bootstrap.sql"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    return config


def current(dsns: Dsns) -> str | None:
    """The revision that the database is at; None before the first migration."""
    with psycopg.connect(dsns.owner) as connection:
        if connection.execute("select to_regclass('shuitu.schema_version')").fetchone() == (None,):
            return None
        row = connection.execute("select version_num from shuitu.schema_version").fetchone()
        return str(row[0]) if row else None


def bootstrap(admin_dsn: str) -> None:
    """Roles, extensions, leakproof marks: idempotent.

    Raises ConfigurationError if the log-in may not do that and it is not done yet.
    """
    try:
        with psycopg.connect(admin_dsn) as connection:
            connection.execute(BOOTSTRAP.read_text("utf-8"))
    except psycopg.errors.InsufficientPrivilege as error:
        with psycopg.connect(admin_dsn) as connection:
            ready = connection.execute(
                "select (select count(*) = 3 from pg_roles where rolname in "
                "('shuitu_owner', 'shuitu_service', 'shuitu_map')) "
                "and (select count(*) = 2 from pg_extension where extname in ('postgis', 'pg_trgm'))"
            ).fetchone()
        if ready != (True,):
            raise ConfigurationError(
                "数据库登录账号无权创建角色和扩展，请管理员先执行 `shuitu doctor --sql` 给出的语句 "
                "(the log-in may not create roles and extensions: have your administrator run the SQL "
                f"that `shuitu doctor --sql` prints): {error}"
            ) from error


def run_script(connection: Connection, path: Path) -> None:
    """Run a whole .sql file: by the driver itself, because it holds many statements and literal %."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the one driver
    driver.execute(path.read_text("utf-8").encode())


def upgrade(dsns: Dsns, *, public_accuracy_bits: int = 12) -> None:
    """Everything up to the newest schema. Idempotent; waits at most a minute for a lock."""
    if dsns.admin:
        bootstrap(dsns.admin)
    owner = engine(dsns.owner, pool_size=1)
    try:
        with owner.connect() as connection:
            # Two services may start at once: only one migrates, the other waits and finds it done.
            connection.execute(text("select pg_advisory_lock(7308917)"))
            connection.execute(text("set lock_timeout = '60s'"))
            connection.execute(text("create schema if not exists shuitu"))
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(
                text(
                    "create or replace function map.public_bits() returns integer language sql immutable parallel safe "
                    f"return {public_accuracy_bits:d}"
                )
            )
            connection.execute(text("grant select on shuitu.schema_version to shuitu_service"))
            for view in sorted((HERE / "views").glob("*.sql")):
                run_script(connection, view)
            for layer in catalog.load().values():
                if layer.points is not None:
                    connection.exec_driver_sql(functions.definition(layer))
            connection.commit()
            connection.execute(text("select pg_advisory_unlock(7308917)"))
            connection.commit()
    finally:
        owner.dispose()
