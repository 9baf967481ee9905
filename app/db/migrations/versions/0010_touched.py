"""Where the map changed, for the tile caches."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0010_touched.sql")


def downgrade() -> None:
    op.execute("drop trigger touch on shuitu.changes; drop function shuitu.touch_map()")
    op.execute("drop table map.touched, map.touched_before")
