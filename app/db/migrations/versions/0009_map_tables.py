"""Map tables with classes, deltas and carried texts, for intakes and permits."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent
TABLES = ("points", "cells", "facets", "deltas", "classes")


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0009_map_tables.sql")


def downgrade() -> None:
    names = [f"map.{layer}_{table}" for layer in ("intake", "permit") for table in TABLES]
    op.execute(f"drop table {', '.join(names)}, map.published cascade")
    op.execute(
        "drop function map.position(integer, integer), map.morton(integer, integer), map.spread(bigint), "
        "map.world_x(float8), map.world_y(float8), map.volume_class(float8)"
    )
