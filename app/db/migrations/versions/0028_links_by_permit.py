"""Whose a permit is, its links tell (policy by_intake): they are found by the permit, be they in force or ended.

Two partial indexes had taken the place of the first key; a policy that asks for any link can use neither, and read
the whole table for each permit of another county.
"""

from alembic import op

revision = "0028"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create index permit_intakes_permit on shuitu.permit_intakes (permit_id)")
    op.execute("drop index shuitu.permit_intakes_ended")


def downgrade() -> None:
    op.execute(
        "create index permit_intakes_ended on shuitu.permit_intakes (permit_id) where valid_to is not null"
    )
    op.execute("drop index shuitu.permit_intakes_permit")
