"""The database's own part of publishing: one function a layer, written from the declaration.

`map.publish_<layer>(id)` brings one feature's point up to its facts and appends what that changes in cells.
In the database, because a change is a handful of small statements: sent one by one they would cost more than
they do. `app.db.migrate` installs the functions after each upgrade.
"""

from layers.derive.columns import quote
from layers.model import Layer
from tiles import facets as coding
from tiles.columns import BASE, columns, feed, volume_sql
from tiles.facets import literal

TEMPLATE = """
create or replace function {name}(feature bigint) returns boolean language plpgsql
set plan_cache_mode = force_generic_plan as $$
-- Brings one feature's point up to its facts; true if its place changed, came or went.
declare
  held constant integer := hashtext({lock});  -- who writes a county anew excludes us (tiles.publish)
  old {table};
  fresh record;
begin
  perform pg_advisory_xact_lock_shared(held, 0),
          pg_advisory_xact_lock_shared(held, coalesce((select county_code from {table} where id = feature), 0));
  -- The point is locked before facts are read: of two changes, the later reads what the earlier wrote.
  select * into old from {table} where id = feature for update;
  select case when r.x = old.x and r.y = old.y then old.key else map.morton(r.x, r.y) end as key, {class_no} as class, r.* into fresh from (
    select v.{id}::bigint as id, map.world_x(st_x(v.{geometry})) as x, map.world_y(st_y(v.{geometry})) as y,
           v.county_code::integer as county_code, coalesce(v.basin_id, 0)::smallint as basin_id, {own}
    from {feed} v where v.{id} = feature
    offset 0) r;  -- kept apart: else what a column costs is paid again wherever it is used
  if fresh.id is null then
    if old.id is null then return false; end if;
    delete from {table} where id = feature;
  else
    if fresh.county_code is distinct from old.county_code then
      perform pg_advisory_xact_lock_shared(held, fresh.county_code);
    end if;
    if fresh.class is distinct from old.class and not exists (select from {classes} where class = fresh.class) then
      insert into {classes} (class, {facets}) values (fresh.class, {decoded});
    end if;
    if old.id is null then
      insert into {table} ({names}) values ({fresh_values});
    elsif ({fresh_values}) is distinct from ({old_values}) then
      update {table} set ({names}) = row({fresh_values}) where id = feature;
    end if;
  end if;
  if old.id is not null and ({old_place}) is not distinct from ({fresh_place}) then
    -- A delta also says that the point's block and sheet are not what they were (tiles.blocks, tiles.sheets): whatever is
    -- published may have changed there, also what the map table does not hold.
    insert into {deltas} ({sums}) values ({fresh_place}, 0, {fresh_volume} - {old_volume}, 0, 0);
  elsif old.id is not null and fresh.id is not null then
    insert into {deltas} ({sums}) values
      ({old_place}, -1, -{old_volume}, -(old.x >> {low}), -(old.y >> {low})),
      ({fresh_place}, 1, {fresh_volume}, fresh.x >> {low}, fresh.y >> {low});
  else
    if old.id is not null then
      insert into {deltas} ({sums}) values ({old_place}, -1, -{old_volume}, -(old.x >> {low}), -(old.y >> {low}));
    else
      insert into {deltas} ({sums}) values ({fresh_place}, 1, {fresh_volume}, fresh.x >> {low}, fresh.y >> {low});
    end if;
  end if;
  if old.id is not null then
    insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1)
    values ({layer}, old.county_code, old.basin_id, old.x, old.y, old.x, old.y);
  end if;
  if fresh.id is not null and (old.id is null or
      (fresh.key, fresh.county_code, fresh.basin_id) is distinct from (old.key, old.county_code, old.basin_id)) then
    insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1)
    values ({layer}, fresh.county_code, fresh.basin_id, fresh.x, fresh.y, fresh.x, fresh.y);
  end if;
  return fresh.key is distinct from old.key;
end $$;
"""
LOW = 13
"""Bits of a world coordinate below the precision of the sums (tiles.overview.CELL_BITS)."""


def name(layer: Layer) -> str:
    """The function's quoted name."""
    return quote(f"map.publish_{layer.id}")


def definition(layer: Layer) -> str:
    """The function of a big point layer, as SQL that creates or replaces it."""
    assert layer.points is not None  # noqa: S101 - asked of big point layers only
    p, kept = layer.points, columns(layer)
    own = [
        *(f"{one.digit_sql(f'v.{quote(one.name)}')} as {quote(one.name)}" for one in kept.facets),
        *(f"coalesce(v.{quote(number)}, 'NaN')::real as {quote(number)}" for number in kept.numbers),
        *(f"v.{quote(text)}" for text in kept.texts),
    ]
    names = [quote(column) for column in (*BASE, *kept.own)]

    def of(row: str, listed: list[str]) -> str:
        return ", ".join(f"{row}.{column}" for column in listed)

    place = ["key", "county_code", "basin_id", "class"]
    return TEMPLATE.format(
        name=name(layer),
        lock=literal(f"map:{layer.id}"),
        table=quote(p.table),
        deltas=quote(p.deltas),
        classes=quote(p.classes),
        feed=quote(p.feed_of_one) if p.feed_of_one else feed(layer),
        layer=literal(layer.id),
        id=quote(layer.source.id),
        geometry=quote(layer.source.geometry),
        own=", ".join(own),
        class_no=coding.class_sql(layer, "r"),
        facets=", ".join(quote(one.name) for one in kept.facets),
        decoded=", ".join(one.value_sql(f"fresh.{quote(one.name)}") for one in kept.facets),
        names=", ".join(names),
        fresh_values=of("fresh", names),
        old_values=of("old", names),
        old_place=of("old", place),
        fresh_place=of("fresh", place),
        old_volume=volume_sql(layer, "old"),
        fresh_volume=volume_sql(layer, "fresh"),
        sums="key, county_code, basin_id, class, n, volume, sx, sy",
        low=LOW,
    )
