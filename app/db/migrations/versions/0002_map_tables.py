"""Map tables of the intakes, generalised shapes of regions, base map."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HERE = Path(__file__).resolve().parent.parent


def upgrade() -> None:
    run_script(op.get_bind(), HERE / "sql" / "0002_map_tables.sql")


def downgrade() -> None:
    op.execute(
        "drop table map.intake_points, map.intake_cells, map.region_shapes, shuitu.hydro_areas, shuitu.hydro_lines cascade"
    )
