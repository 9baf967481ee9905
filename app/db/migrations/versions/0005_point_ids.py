"""Find a point of the map table by its id: items of the public twin are paged in that order."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create index intake_points_id on map.intake_points (id)")


def downgrade() -> None:
    op.execute("drop index map.intake_points_id")
