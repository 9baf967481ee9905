"""The log of where the map changed is written with every change: it keeps only the index that is read."""

from alembic import op

revision = "0012"
down_revision = "0019"
branch_labels = None
depends_on = None

TRIGGER = "create trigger touch after insert on shuitu.changes for each row"


def upgrade() -> None:
    op.execute("alter table map.touched drop column id")
    op.execute("drop index map.touched_layer")
    # Intakes tell of themselves when they are published.
    op.execute("drop trigger touch on shuitu.changes")
    op.execute(f"{TRIGGER} when (new.layer <> 'intakes') execute function shuitu.touch_map()")


def downgrade() -> None:
    op.execute("drop trigger touch on shuitu.changes")
    op.execute(f"{TRIGGER} execute function shuitu.touch_map()")
    op.execute("alter table map.touched add column id bigint generated always as identity primary key")
    op.execute("create index touched_layer on map.touched (layer)")
