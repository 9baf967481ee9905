"""What the desks count is kept beside the rows: progress of a nation's linkage and review without reading its millions.

Counted when asked, the ministry's progress took seconds; see docs/benchmarks.md.
"""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0059"
down_revision = "0052"
branch_labels = None
depends_on = None

TABLES = ("intakes", "link_outcomes", "review_items")


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0059_tallies.sql")


def downgrade() -> None:
    op.execute("drop function shuitu.fold_tallies()")
    for table in TABLES:
        for when in ("insert", "update", "delete"):
            op.execute(f"drop trigger tally_{when} on shuitu.{table}")
    op.execute(
        "drop function shuitu.tally_intakes(), shuitu.tally_intake(), shuitu.tally_outcomes(), shuitu.tally_reviews()"
    )
    op.execute("drop table shuitu.intake_tally, shuitu.outcome_tally, shuitu.review_tally")
