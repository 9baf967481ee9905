"""Comparisons without regard to case and accents (CASEI and ACCENTI of CQL2)."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0015"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0015_folding.sql")


def downgrade() -> None:
    op.execute("drop function map.casei(text), map.accenti(text)")
