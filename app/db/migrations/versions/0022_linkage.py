"""Linkage 比对衔接: runs, proposed pairs, outcomes, decisions that can be undone."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0022"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("link_decisions", "link_batches", "link_outcomes", "link_pairs", "link_runs", "change_readers")


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0022_linkage.sql")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table shuitu.{table}")
