-- The map tables of the big point layer, the shapes of regions generalised per zoom, and the base map.
-- Integer world coordinates: Web Mercator, 31 bits an axis (1.9 cm at the equator), y downwards.
create table map.intake_points (
  key           bigint not null,                 -- Morton key of (x, y): a tile is one range of it
  id            bigint not null,
  x             integer not null,
  y             integer not null,
  county_code   integer not null,
  basin_id      smallint not null,               -- 0: none
  source_type   smallint not null,               -- position in the declaration's list of values
  permit_state  smallint not null,
  status        smallint not null,
  annual_volume_m3 real not null                 -- NaN: not known
);
create index intake_points_key on map.intake_points (key);
create index intake_points_county on map.intake_points (county_code);

-- Overview: one row a (cell, county, basin); key = leading-1 quadkey of level and cell, so every tile of
-- every zoom is one range. All sums, so that filters, jurisdictions and roll-ups stay exact.
create table map.intake_cells (
  key         bigint not null,
  county_code integer not null,
  basin_id    smallint not null,
  n           integer not null,
  volume      double precision not null,
  sx          bigint not null,                   -- sums of world coordinates at 18 bits: the symbol's place
  sy          bigint not null,
  nc          integer[] not null,                -- intakes by class (source type × permit state)
  vc          real[] not null                    -- volume by class, m3
);
create index intake_cells_key on map.intake_cells (key);
create index intake_cells_county on map.intake_cells (county_code);

do $$
declare t text;
begin
  foreach t in array array['intake_points', 'intake_cells'] loop
    execute format('alter table map.%I enable row level security, force row level security', t);
    execute format($p$create policy by_scope on map.%I
      using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
             or basin_id = (select shuitu.scope_basin()))$p$, t);
  end loop;
end $$;

create table map.region_shapes (
  id   integer not null,
  zoom smallint not null,                        -- drawn up to this zoom
  geom geometry(MultiPolygon, 4490) not null,
  primary key (id, zoom)
);
create index on map.region_shapes using gist (geom);

create table shuitu.hydro_areas (
  id   integer generated always as identity primary key,
  name text not null default '',
  rank smallint not null default 1,
  geom geometry(MultiPolygon, 4490) not null
);
create index on shuitu.hydro_areas using gist (geom);
create table shuitu.hydro_lines (
  id   integer generated always as identity primary key,
  name text not null default '',
  rank smallint not null default 1,
  geom geometry(MultiLineString, 4490) not null
);
create index on shuitu.hydro_lines using gist (geom);
grant truncate on map.intake_points, map.intake_cells, map.region_shapes to shuitu_service;
