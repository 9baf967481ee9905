"""Review level by level 逐级审核: batches, what they hold, decisions that nobody can change, samples."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = ("review_decisions", "review_sample_items", "review_items", "review_batches", "review_samples")


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0024_review.sql")


def downgrade() -> None:
    op.execute("drop trigger reviewed_before on shuitu.link_outcomes")
    for table in TABLES:
        op.execute(f"drop table shuitu.{table}")
    op.execute("drop function shuitu.review_goes_stale(), shuitu.review_is_history()")
