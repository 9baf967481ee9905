"""Whoever changes many rows at once may write their history in the same statement, not row by row."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0049"
down_revision = "0047"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    run_script(op.get_bind(), SQL / "0049_history_by_set.sql")


def downgrade() -> None:
    run_script(op.get_bind(), SQL / "0046_history_planned_once.sql")
