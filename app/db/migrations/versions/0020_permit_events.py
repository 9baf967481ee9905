"""Permits: the intakes they list, the events of their life, and links that end and begin again."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0020"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0020_permit_events.sql")


def downgrade() -> None:
    op.execute("drop table shuitu.permit_events, shuitu.permit_points")
    op.execute("drop policy by_intake on shuitu.permit_history")
    op.execute("drop trigger ending on shuitu.permit_intakes")
    op.execute("drop function shuitu.keep_ending()")
    # Before, a pair had one link of a first day: the newest stays.
    op.execute("select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)")
    op.execute(
        "delete from shuitu.permit_intakes a using shuitu.permit_intakes b where a.permit_id = b.permit_id "
        "and a.intake_id = b.intake_id and a.valid_from = b.valid_from and a.id < b.id"
    )
    op.execute("alter table shuitu.permit_intakes drop constraint permit_intakes_order")
    op.execute("drop index shuitu.permit_intakes_in_force, shuitu.permit_intakes_ended")
    op.execute("alter table shuitu.permit_intakes drop column id, drop column ended_at")
    op.execute("alter table shuitu.permit_intakes add primary key (permit_id, intake_id, valid_from)")
