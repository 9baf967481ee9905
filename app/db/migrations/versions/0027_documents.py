"""Photos and scans of intakes and permits."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent.parent / "sql" / "0027_documents.sql")


def downgrade() -> None:
    op.execute("drop trigger documents on shuitu.intakes; drop trigger documents on shuitu.permits")
    op.execute("drop function shuitu.move_documents()")
    op.execute("drop table shuitu.documents")
