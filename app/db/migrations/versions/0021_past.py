"""Past dates: since when a version of a permit holds, and indexes on what was superseded."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0021"
down_revision = "0024"
branch_labels = None
depends_on = None

HISTORY = """
create or replace function shuitu.keep_history() returns trigger language plpgsql as $$
begin
  if new.version <= old.version then new.version := old.version + 1; end if;
  new.recorded_at := now();
  execute format('insert into shuitu.%I select ($1).*, now()', tg_argv[0]) using old;
  return new;
end $$"""


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0021_past.sql")


def downgrade() -> None:
    # Views of schema map that read the new columns come back with the next upgrade.
    op.execute("drop view if exists map.permit_former, map.permit_current cascade")
    for table, indexes in (("intake", ("geom", "county")), ("permit", ("county", "number"))):
        for index in indexes:
            op.execute(f"drop index shuitu.{table}_history_{index}")
    op.execute("drop index shuitu.permits_previous_number")
    for table in ("permits", "permit_history"):
        op.execute(f"alter table shuitu.{table} drop column effective_on, drop column ended_on")
    op.execute("drop procedure shuitu.track_history(text)")
    op.execute(HISTORY)
    for table, history in (("permits", "permit_history"), ("intakes", "intake_history")):
        op.execute(f"drop trigger history on shuitu.{table}")
        op.execute(
            f"create trigger history before update on shuitu.{table} for each row "
            f"when (old.* is distinct from new.*) execute function shuitu.keep_history('{history}')"
        )
