"""Sheets: features packed by small tiles, with every field, which is what pages by box read."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0055"
down_revision = "0060"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    run_script(op.get_bind(), SQL / "0055_sheets.sql")


def downgrade() -> None:
    op.execute("alter table map.published drop column sheets")
    op.execute("drop table map.intake_sheets")
