"""A first load goes into tables without secondary indexes, which are made once all rows are in."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0050_first_load.sql")


def downgrade() -> None:
    op.execute("drop function shuitu.bare(text[]), shuitu.dress()")
    op.execute("drop table shuitu.bared")
