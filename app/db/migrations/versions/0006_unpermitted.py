"""A field register says which intakes lack the permit they need; staging carries it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table staging.intakes add column unpermitted boolean not null default false")


def downgrade() -> None:
    op.execute("alter table staging.intakes drop column unpermitted")
