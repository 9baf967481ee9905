"""Decisions calibrate the score of findings, with a report of how well it held before and after."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0054_score_calibrations.sql")


def downgrade() -> None:
    op.execute("drop table shuitu.score_calibrations")
