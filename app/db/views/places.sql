-- What publishing reads of one intake: as map.intakes, held equal by a test. What most intakes have no need of lies in a
-- function: a statement prepares all of its parts each time, and the policies of permits are most of them.
create or replace function map.permitted_since(intake bigint) returns integer language plpgsql stable as $$
begin
  return (select extract(year from min(p.valid_from))
            from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
           where pi.intake_id = intake and pi.valid_to is null);
end $$;

create or replace view map.intake_places as
  select i.id, i.code, i.name, i.source_type, i.permit_state, i.status, i.purpose, i.annual_volume_m3, i.county_code,
         i.basin_id, i.aquifer_layer, i.geom, map.volume_class(i.annual_volume_m3) as volume_class,
         coalesce(extract(year from i.started_on)::integer,
                  case when i.permit_state in ('linked', 'ended') then map.permitted_since(i.id) end) as started_year,
         coalesce(r.state, 'none') as review_state
  from shuitu.intakes i left join shuitu.review_items r on r.intake_id = i.id and r.latest;
