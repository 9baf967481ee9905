"""Staging tables of the imports."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0004_staging.sql")


def downgrade() -> None:
    op.execute("drop schema staging cascade")
