"""Overview cells of past days."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0052"
down_revision = "0050"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0052_past_days.sql"


def upgrade() -> None:
    run_script(op.get_bind(), SQL)


def downgrade() -> None:
    for layer in ("intake", "permit"):
        op.execute(f"drop table map.{layer}_past_cells, map.{layer}_past_facets")
    op.execute("drop table map.past_days")
