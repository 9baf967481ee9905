"""What happened to one entry is found by it: dossiers say who recorded each version."""

from alembic import op

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index changes_of_entry on shuitu.changes (layer, entity_id) where entity_id is not null"
    )


def downgrade() -> None:
    op.execute("drop index shuitu.changes_of_entry")
