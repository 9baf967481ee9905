"""Jobs of OGC API - Processes: what was asked, by whom, in which scope, and what came of it."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0018"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0018_process_jobs.sql")


def downgrade() -> None:
    op.execute("drop table shuitu.process_jobs")
