-- Map tables by one pattern for every big point layer: points in key order, overview cells with what is counted,
-- the same cells with their classes packed, deltas of single changes that wait to be folded, and the classes seen.
-- They hold nothing that the facts do not: the worker publishes what an upgrade emptied.
drop table map.intake_points, map.intake_cells cascade;

-- ── position → integer world coordinates → key: as tiles.keys, held equal by a test ─────────────────
create function map.world_x(lon double precision) returns integer language sql immutable parallel safe
  return least(2147483647, greatest(0, floor((lon + 180.0::float8) / 360.0::float8 * 2147483648.0::float8)))::integer;
create function map.world_y(lat double precision) returns integer language sql immutable parallel safe
  return least(2147483647, greatest(0, floor((0.5::float8 - asinh(tan(radians(
    least(85.0511287798066::float8, greatest(-85.0511287798066::float8, lat))))) / (2 * pi())) * 2147483648.0::float8)))::integer;
-- Operators | & << >> have one precedence, left to right: everything is bracketed.
create function map.spread(value bigint) returns bigint language plpgsql immutable strict parallel safe as $$
begin
  value := (value | (value << 16)) & 281470681808895;
  value := (value | (value << 8)) & 71777214294589695;
  value := (value | (value << 4)) & 1085102592571150095;
  value := (value | (value << 2)) & 3689348814741910323;
  return (value | (value << 1)) & 6148914691236517205;
end $$;
create function map.morton(x integer, y integer) returns bigint language sql immutable parallel safe
  return map.spread(x::bigint) | (map.spread(y::bigint) << 1);
create function map.position(x integer, y integer) returns geometry language sql immutable parallel safe
  return st_setsrid(st_makepoint(x / 2147483648.0::float8 * 360 - 180,
                                 degrees(atan(sinh(pi() * (1 - 2 * y / 2147483648.0::float8))))), 4490);
create function map.volume_class(m3 double precision) returns text language sql immutable parallel safe
  return case when m3 is null then 'unknown' when m3 < 10000 then 'under_10k' when m3 < 100000 then 'under_100k'
              when m3 < 1000000 then 'under_1m' else 'from_1m' end;
grant execute on all functions in schema map to public;

-- ── points ───────────────────────────────────────────────────────────────────────────────────────
create table map.intake_points (
  key           bigint not null,                 -- Morton key of (x, y): a tile is one range of it
  id            bigint not null,
  x             integer not null,                -- Web Mercator, 31 bits an axis (1.9 cm at the equator), y downwards
  y             integer not null,
  county_code   integer not null,
  basin_id      smallint not null,               -- 0: none
  class         integer not null,                -- of all facets (tiles.facets)
  source_type   smallint not null,               -- position in the declaration's list of values
  permit_state  smallint not null,
  status        smallint not null,
  purpose       smallint not null,
  volume_class  smallint not null,
  started_year  smallint not null,               -- 0: not known
  annual_volume_m3 real not null,                -- NaN: not known
  code          text,
  name          text
);
create table map.permit_points (
  key           bigint not null,
  id            bigint not null,
  x             integer not null,
  y             integer not null,
  county_code   integer not null,
  basin_id      smallint not null,
  class         integer not null,
  status        smallint not null,
  source_type   smallint not null,
  purpose       smallint not null,
  volume_class  smallint not null,
  valid_from_year smallint not null,
  annual_volume_m3 real not null,
  permit_no     text,
  valid_to      date,
  geom          geometry(Point, 4490) generated always as (map.position(x, y)) stored  -- features are found by it
);
create index permit_points_geom on map.permit_points using gist (geom);

-- ── the other tables, alike for each layer ────────────────────────────────────────────────────────
do $$
declare l text; t text;
begin
  foreach l in array array['intake', 'permit'] loop
    execute format('create index %1$s_points_key on map.%1$s_points (key)', l);
    execute format('create unique index %1$s_points_id on map.%1$s_points (id)', l);
    execute format('create index %1$s_points_county on map.%1$s_points (county_code)', l);
    -- One row a (cell, county, basin); key = leading-1 quadkey of level and cell, so every tile of every zoom is
    -- one range. All sums, so that filters, jurisdictions and roll-ups stay exact.
    execute format($t$create table map.%1$s_cells (
      key         bigint not null,
      county_code integer not null,
      basin_id    smallint not null,
      n           integer not null,
      volume      bigint not null,               -- m³, whole
      sx          bigint not null,               -- sums of world coordinates at 18 bits: the symbol's place
      sy          bigint not null,
      nc          integer[] not null,            -- n by value of the counted facet, last: none of them
      primary key (key, county_code, basin_id))$t$, l);
    -- What each class of the cell counts: (class int4, n int4, volume int8), little-endian, by class. Packed, because
    -- a tile far out reads hundreds of thousands of them; not compressed, because they are read more than written.
    execute format($t$create table map.%1$s_facets (
      key         bigint not null,
      county_code integer not null,
      basin_id    smallint not null,
      packed      bytea not null,
      primary key (key, county_code, basin_id)) with (toast_tuple_target = 8160)$t$, l);
    execute format('alter table map.%1$s_facets alter packed set storage external', l);
    -- A single change: what it takes away and what it adds. Read with the cells, and folded into them by the worker.
    execute format($t$create table map.%1$s_deltas (
      key         bigint not null,               -- of the position
      county_code integer not null,
      basin_id    smallint not null,
      class       integer not null,
      n           integer not null,
      volume      bigint not null,
      sx          bigint not null,
      sy          bigint not null)$t$, l);
    execute format('create index %1$s_deltas_key on map.%1$s_deltas (key)', l);
    execute format('create index %1$s_cells_county on map.%1$s_cells (county_code)', l);
    execute format('create index %1$s_facets_county on map.%1$s_facets (county_code)', l);
    foreach t in array array['points', 'cells', 'facets', 'deltas'] loop
      execute format('alter table map.%1$s_%2$s enable row level security, force row level security', l, t);
      execute format($p$create policy by_scope on map.%1$s_%2$s
        using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
               or basin_id = (select shuitu.scope_basin()))$p$, l, t);
      execute format('grant truncate on map.%1$s_%2$s to shuitu_service', l, t);
    end loop;
  end loop;
end $$;

-- Each class that was ever published, spelled out: a filter is asked of these rows, then of their numbers. Appended
-- without a unique key, so that no change waits for another's transaction; the worker removes what is double.
create table map.intake_classes (
  class integer not null, source_type text, permit_state text, status text, purpose text, volume_class text, started_year integer
);
create table map.permit_classes (
  class integer not null, status text, source_type text, purpose text, volume_class text, valid_from_year integer
);
create index on map.intake_classes (class);
create index on map.permit_classes (class);

-- Which declaration the tables of a layer were written by; none: not yet.
create table map.published (layer text primary key, form text not null, at timestamptz not null default now());
