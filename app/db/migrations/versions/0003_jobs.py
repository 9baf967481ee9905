"""The job queue: procrastinate's own schema, in schema jobs."""

from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.execute(text("create schema jobs"))
    connection.execute(text("set local search_path = jobs, public"))
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - a live connection
    driver.execute(SchemaManager.get_schema().encode())
    # The library names its tables without schema; pinned to it, its functions work from any session.
    names = connection.execute(
        text("select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'jobs'::regnamespace")
    ).scalars()
    for name in names.all():
        connection.execute(text(f"alter function {name} set search_path = jobs, public"))
    for grant in (
        "grant usage on schema jobs to shuitu_service",
        "grant select, insert, update, delete on all tables in schema jobs to shuitu_service",
        "grant usage, select on all sequences in schema jobs to shuitu_service",
        "grant execute on all functions in schema jobs to shuitu_service",
        "set local search_path = public",
    ):
        connection.execute(text(grant))


def downgrade() -> None:
    op.execute("drop schema jobs cascade")
