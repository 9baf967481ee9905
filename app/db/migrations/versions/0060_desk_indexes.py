"""Indexes for what the desks ask of a nation's register: see docs/benchmarks.md for what each page takes."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

INDEXES = (
    "link_outcomes_persons",
    "link_outcomes_conflicts",
    "permits_former_numbers",
    "holders_name",
    "review_items_permits",
)


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0060_desk_indexes.sql")


def downgrade() -> None:
    for index in INDEXES:
        op.execute(f"drop index shuitu.{index}")
