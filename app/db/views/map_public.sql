-- What the public may see of the intakes: public fields, positions in the middle of a hidden cell.
create or replace view map.hydro_areas as select id, name, rank, geom from shuitu.hydro_areas;
create or replace view map.hydro_lines as select id, name, rank, geom from shuitu.hydro_lines;

create or replace view map.intakes_public as
  with snapped as (
    select p.key, p.id, p.county_code, p.source_type, p.permit_state, p.status,
           ((p.x >> map.public_bits()) << map.public_bits()) + (1 << map.public_bits()) / 2 as x,
           ((p.y >> map.public_bits()) << map.public_bits()) + (1 << map.public_bits()) / 2 as y
    from map.intake_points p
  )
  select id,
         (array['surface_water', 'groundwater', 'unconventional_water', 'unknown'])[source_type + 1] as source_type,
         (array['linked', 'pending', 'unpermitted', 'exempt', 'ended'])[permit_state + 1] as permit_state,
         (array['in_use', 'emergency_reserve', 'sealed', 'backfilled', 'ended'])[status + 1] as status,
         county_code,
         st_setsrid(st_makepoint(x / 2147483648.0::float8 * 360 - 180,
                                 degrees(atan(sinh(pi() * (1 - 2 * y / 2147483648.0::float8))))), 4490)
           ::geometry(Point, 4490) as geom,
         key  -- of the true position: finds what a box may hold, is never shown
  from snapped;

-- Which layers changed, for the tile cache; the facts themselves stay where they are.
create or replace view map.change_log as select id, xid, layer, county_code from shuitu.changes;
