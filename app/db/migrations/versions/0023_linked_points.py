"""A link names the intake that the permit lists; a pair that a person made has no probability."""

from alembic import op

revision = "0023"
down_revision = "0020"
branch_labels = None
depends_on = None

GROUNDS = (
    "'collective_pond', 'household', 'dewatering', 'public_safety', 'drought', 'filing_only', 'public_supply'"
)
POINT = "foreign key (permit_point_id) references shuitu.permit_points on delete"


def _grounds(values: str) -> None:
    op.execute("alter table shuitu.link_outcomes drop constraint link_outcomes_ground_check")
    op.execute(
        f"alter table shuitu.link_outcomes add constraint link_outcomes_ground_check check (ground in ({values}))"
    )


def upgrade() -> None:
    op.execute("alter table shuitu.permit_intakes add column permit_point_id bigint")
    op.execute(f"alter table shuitu.permit_intakes add {POINT} set null (permit_point_id)")
    op.execute(
        "create index permit_intakes_point on shuitu.permit_intakes (permit_point_id) where permit_point_id is not null"
    )
    for table in ("link_pairs", "link_outcomes"):
        op.execute(f"alter table shuitu.{table} add {POINT} cascade")
        op.execute(
            f"create index {table}_point on shuitu.{table} (permit_point_id) where permit_point_id is not null"
        )
    op.execute("alter table shuitu.link_pairs alter column probability drop not null")
    # Said by the register itself when it was brought in.
    _grounds(f"{GROUNDS}, 'registered'")


def downgrade() -> None:
    op.execute("update shuitu.link_outcomes set ground = 'filing_only' where ground = 'registered'")
    _grounds(GROUNDS)
    op.execute("delete from shuitu.link_pairs where probability is null")
    op.execute("alter table shuitu.link_pairs alter column probability set not null")
    for table in ("link_pairs", "link_outcomes"):
        op.execute(f"drop index shuitu.{table}_point")
        op.execute(f"alter table shuitu.{table} drop constraint {table}_permit_point_id_fkey")
    op.execute("alter table shuitu.permit_intakes drop column permit_point_id")
