"""A county's lines of the linkage in the order of the desk: by probability, highest first.

By one index over all counties a county's page waited until millions of others' lines were passed over: 5.3 s with 5.9
million, for lines of a county stand together. It serves what link_outcomes_place served, too.
"""

from alembic import op

revision = "0061"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index link_outcomes_county on shuitu.link_outcomes (county_code, outcome, coalesce(probability, 0) desc, id)"
    )
    op.execute("drop index shuitu.link_outcomes_place")


def downgrade() -> None:
    op.execute("create index link_outcomes_place on shuitu.link_outcomes (county_code, outcome, decided_by)")
    op.execute("drop index shuitu.link_outcomes_county")
