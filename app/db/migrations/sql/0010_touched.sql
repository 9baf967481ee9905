-- Where the map changed: what makes tiles stale. Written in the transaction of the fact; read by every process that
-- keeps tiles, by transaction id and never by "id > last". A point is a box of no extent; no box is everywhere.
-- Integer world coordinates as in the map tables; both ends belong to the box.
create table map.touched (
  id          bigint generated always as identity primary key,
  xid         xid8 not null default pg_current_xact_id(),
  at          timestamptz not null default now(),
  layer       text not null,
  county_code integer not null,
  basin_id    smallint not null default 0,
  x0 integer, y0 integer, x1 integer, y1 integer
);
create index touched_xid on map.touched (xid);
create index touched_layer on map.touched (layer);
alter table map.touched enable row level security;
alter table map.touched force row level security;
create policy by_scope on map.touched
  using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
         or basin_id = (select shuitu.scope_basin()));
-- Rows are forgotten after some days; how many of each layer were, so that counts go on.
create table map.touched_before (layer text primary key, n bigint not null);

-- A change of a layer without map tables is where its box says, else in its county; a change of regions or permits
-- is one of the indicators too. (Layers with map tables tell it when they are published.)
create function shuitu.touch_map() returns trigger language plpgsql as $$
declare place box2d := new.box;
begin
  if new.layer = 'intakes' then return null; end if;
  if new.layer = 'permits' then place := null; end if;  -- the indicator it counts in is the county's
  if place is null and new.county_code > 0 then
    select st_extent(geom)::box2d into place from shuitu.regions where code = new.county_code;
  end if;
  insert into map.touched (layer, county_code, basin_id, x0, y0, x1, y1)
  select l, new.county_code, coalesce(new.basin_id, 0),
         map.world_x(st_xmin(place)), map.world_y(st_ymax(place)), map.world_x(st_xmax(place)), map.world_y(st_ymin(place))
  from unnest(case new.layer when 'regions' then array['regions', 'region_labels', 'indicators']
                             when 'permits' then array['indicators']
                             else array[new.layer] end) l;
  return null;
end $$;
create trigger touch after insert on shuitu.changes for each row execute function shuitu.touch_map();
create trigger wake after insert on map.touched for each statement execute function shuitu.wake_listeners();
