"""Requests of provincial systems, remembered by their key; entries that left a county, found by when."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0026"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0026_exchange.sql")


def downgrade() -> None:
    op.execute("drop index shuitu.intake_history_ended, shuitu.permit_history_ended")
    op.execute("drop table shuitu.exchange_requests")
