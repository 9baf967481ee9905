"""The map tells where an intake stands in the review, and filters by that and by the aquifer layer.

Two more facets change the classes of all points: they are written anew by the worker (`map.published`).
"""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0025"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0025_review_on_the_map.sql")


def downgrade() -> None:
    # Views of schema map that read the columns come back with the next upgrade.
    op.execute("drop function if exists map.intakes_at(date, timestamptz)")
    op.execute("drop view if exists map.intakes cascade")
    op.execute("truncate map.intake_points, map.intake_classes")
    op.execute("delete from map.published where layer = 'intakes'")
    for table in ("intake_points", "intake_classes"):
        op.execute(f"alter table map.{table} drop column review_state, drop column aquifer_layer")
    op.execute("drop index shuitu.review_items_intake")
    op.execute("create index review_items_intake on shuitu.review_items (intake_id) where latest")
