"""A batch or file of intakes says which are no longer used; staging carries it."""

from alembic import op

revision = "0045"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table staging.intakes add column use_status text")


def downgrade() -> None:
    op.execute("alter table staging.intakes drop column use_status")
