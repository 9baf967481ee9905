create or replace function shuitu.touch_map() returns trigger language plpgsql as $$
declare place box2d := new.box;
begin
  if new.layer = 'intakes' then return null; end if;
  if new.layer = 'permits' then place := null; end if;  -- the indicator it counts in is the county's
  if place is null and new.layer = 'candidates' and new.entity_id is not null then
    select geom::box2d into place from shuitu.candidates where id = new.entity_id;
  end if;
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

-- Layers whose facts change without a row in `changes`: all of the layer is stale, wherever one looks.
create policy of_no_county on map.touched for insert with check (county_code = 0);
create function shuitu.touch_layer() returns trigger language plpgsql as $$
begin
  insert into map.touched (layer, county_code) values (tg_argv[0], 0);
  return null;
end $$;
create trigger touch after insert or update or delete or truncate on shuitu.hydro_areas
  for each statement execute function shuitu.touch_layer('hydro_areas');
create trigger touch after insert or update or delete or truncate on shuitu.hydro_lines
  for each statement execute function shuitu.touch_layer('hydro_lines');
create trigger touch after insert or update or delete or truncate on shuitu.basin_agencies
  for each statement execute function shuitu.touch_layer('basins');
create trigger touch after insert or update or delete or truncate on shuitu.water_resource_zones
  for each statement execute function shuitu.touch_layer('zones');
create trigger touch after insert or update or delete or truncate on shuitu.scenes
  for each statement execute function shuitu.touch_layer('scenes');
