"""A finding that changed is where it lies, not somewhere in its county; and layers without change rows tell, too."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0011"
down_revision = "0015"
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent
TABLES = ("hydro_areas", "hydro_lines", "basin_agencies", "water_resource_zones", "scenes")


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0011_touched_layers.sql")


def downgrade() -> None:
    # shuitu.touch_map() stays as it is: the former one did the same, more widely.
    for table in TABLES:
        op.execute(f"drop trigger touch on shuitu.{table}")
    op.execute("drop function shuitu.touch_layer()")
    op.execute("drop policy of_no_county on map.touched")
