"""Files of what permits list, and of events with their day; indexes for terms that run out and for dossiers."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0038"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0038_permit_files.sql")


def downgrade() -> None:
    op.execute("drop table staging.permit_points")
    op.execute("alter table staging.intakes drop column valid_from")
    op.execute("update staging.permits set event = 'issue' where event is null")
    op.execute(
        "alter table staging.permits alter column event set not null, drop column effective_on, drop column document_no, "
        "drop column ground, drop column reason"
    )
    op.execute("drop index shuitu.permits_lasting, shuitu.permits_running, shuitu.changes_entity")
    for table in ("permits", "permit_limits"):
        op.execute(f"drop policy by_point on shuitu.{table}")
    op.execute("drop policy of_permit on shuitu.permit_points")
    op.execute("drop trigger permit_county on shuitu.permit_points")
    op.execute("drop function shuitu.name_permit_county()")
    op.execute("alter table shuitu.permit_points drop column permit_county, drop column permit_basin")
