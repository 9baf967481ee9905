"""Items of a frozen population say so themselves, where their county sees it."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0051"
down_revision = "0046"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0051_frozen_items.sql"


def upgrade() -> None:
    run_script(op.get_bind(), SQL)


def downgrade() -> None:
    op.execute("select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)")
    op.execute("alter table shuitu.review_samples add column population_ids bigint[]")
    op.execute(
        "update shuitu.review_samples s set population_ids = "
        "(select array_agg(i.id order by i.id) from shuitu.review_items i where i.sample_id = s.id)"
    )
    op.execute("alter table shuitu.review_samples alter column population_ids set not null")
    op.execute("alter table shuitu.review_items drop column sample_id")
