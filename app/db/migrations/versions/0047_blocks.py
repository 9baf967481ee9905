"""Blocks: points packed by small tiles, which is what tiles read."""

from pathlib import Path

from alembic import op

from app.db.migrate import run_script

revision = "0047"
down_revision = "0054"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
# As tiles.blocks writes them; columns whose values are numbers of one width, and columns of texts.
KINDS = {"ids": ("p.id", "int8"), "keys": ("p.key", "int8"), "classes": ("p.class", "int4"), "counties": ("p.county_code", "int4"), "annual_volume_m3": ("p.annual_volume_m3", "float4")}  # fmt: skip
TEXTS = {"intake": ("code", "name"), "permit": ("permit_no", "valid_to")}


def upgrade() -> None:
    run_script(op.get_bind(), SQL / "0047_blocks.sql")
    for layer, texts in TEXTS.items():
        made = [f"string_agg({kind}send({column}), '')" for column, kind in KINDS.values()]
        made += [f"string_agg(coalesce(textsend(p.{name}::text), '\\xff'), '\\x00000000')" for name in texts]
        op.execute(
            f"insert into map.{layer}_blocks (block, county_code, basin_id, {', '.join((*KINDS, *texts))}) "
            f"select p.block, p.county_code, p.basin_id, {', '.join(made)} from (select p.key >> 34 as block, p.* "
            f"from map.{layer}_points p order by 1, p.county_code, p.basin_id, p.key, p.id) p "
            "group by p.block, p.county_code, p.basin_id"
        )


def downgrade() -> None:
    op.execute("drop table map.intake_blocks, map.permit_blocks")
