"""Tables, row-level security and the first views of the map."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0001_foundation.sql")


def downgrade() -> None:
    op.execute("drop schema map cascade")
    op.execute("drop schema shuitu cascade")
