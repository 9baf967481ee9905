-- What the map may read. The views run with the rights of shuitu_owner, which row-level security
-- binds too, so each shows just what the caller's scope allows. Public twins carry public fields only.
create or replace view map.regions as
  select id, code, name, level, parent_code, valid_from, geom
  from shuitu.regions where valid_to is null or valid_to > current_date;

create or replace view map.region_labels as
  select id, code, name, level, label as geom
  from shuitu.regions where valid_to is null or valid_to > current_date;

create or replace view map.basins as
  select id, code, name, name_en, geom from shuitu.basin_agencies where geom is not null;

create or replace view map.zones as
  select ('x' || substr(md5(code), 1, 8))::bit(31)::integer as id, code, name, level, geom
  from shuitu.water_resource_zones where geom is not null;

-- A region with its newest total-use cap, and what is licensed there: permits in force that occupy
-- the quota, counted where the permit's place lies. 取水许可总量 ≠ 用水总量: a share, not a verdict.
create or replace view map.indicators as
  with cap as (
    select distinct on (region_code) region_code, level_year, value as cap_m3, document_no
    from shuitu.control_indicators
    where kind = 'total_use_cap' and source_type = 'all' and purpose = 'all' and region_code is not null
    order by region_code, level_year desc, (frequency = 'mean') desc
  ), licensed as (
    select county_code, sum(annual_volume_m3) as licensed_m3, count(*)::integer as permits
    from shuitu.permits
    where status = 'valid' and occupies_quota and (valid_to is null or valid_to >= current_date)
    group by county_code
  )
  select r.id, r.code, r.name, cap.level_year, cap.cap_m3, cap.document_no,
         coalesce(l.licensed_m3, 0) as licensed_m3,
         100 * coalesce(l.licensed_m3, 0) / nullif(cap.cap_m3, 0) as share_pct,
         coalesce(l.permits, 0) as permits, r.geom
  from map.regions r
  join cap on cap.region_code = r.code
  left join licensed l on l.county_code = r.code
  where r.level = 3;

create or replace view map.indicators_public as
  select id, code, name, level_year, cap_m3, document_no, geom from map.indicators;

create or replace view map.scenes as
  select id, item_id, title, sensor, acquired_at, cloud_pct, generated, geom from shuitu.scenes;

-- What publishing reads of permits: each with the centre of its intakes, or of those that the permit itself lists.
create or replace view map.permit_places as
  select p.id, p.permit_no, p.status, p.annual_volume_m3, p.source_type, p.purpose, p.county_code, p.basin_id,
         p.valid_to, map.volume_class(p.annual_volume_m3) as volume_class,
         extract(year from p.valid_from)::integer as valid_from_year, i.geom
  from shuitu.permits p
  join lateral (
    select coalesce(
      (select st_centroid(st_collect(i.geom)) from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
        where pi.permit_id = p.id and pi.valid_to is null),
      (select st_centroid(st_collect(l.geom)) from shuitu.permit_points l where l.permit_id = p.id and l.valid_to is null)
    )::geometry(Point, 4490) as geom
  ) i on i.geom is not null;

-- Places are those of the map table. Outside it, only for viewers of less than the nation: permits of other
-- counties with an intake in theirs, placed at the centre of what they see.
create or replace view map.permits as
  select p.id, p.permit_no, p.holder_name, p.status, p.annual_volume_m3, p.source_type, p.purpose,
         p.issuing_authority, p.supervising_authority, p.county_code, p.valid_from, p.valid_to,
         (select count(*)::integer from shuitu.permit_intakes pi
           where pi.permit_id = p.id and pi.valid_to is null) as intakes,
         m.geom, map.volume_class(p.annual_volume_m3) as volume_class,
         extract(year from p.valid_from)::integer as valid_from_year, p.basin_id
  from map.permit_points m join shuitu.permits p on p.id = m.id
  union all
  select p.id, p.permit_no, p.holder_name, p.status, p.annual_volume_m3, p.source_type, p.purpose,
         p.issuing_authority, p.supervising_authority, p.county_code, p.valid_from, p.valid_to,
         i.intakes, i.geom, map.volume_class(p.annual_volume_m3), extract(year from p.valid_from)::integer, p.basin_id
  from (select distinct permit_id from shuitu.permit_intakes where valid_to is null) guest
  join shuitu.permits p on p.id = guest.permit_id
  join lateral (
    select count(*)::integer as intakes, st_centroid(st_collect(i.geom))::geometry(Point, 4490) as geom
    from shuitu.permit_intakes pi join shuitu.intakes i on i.id = pi.intake_id
    where pi.permit_id = p.id and pi.valid_to is null
  ) i on i.geom is not null
  where (select shuitu.scope_hi() - shuitu.scope_lo() < 1000000)
    and not coalesce((p.county_code >= shuitu.scope_lo() and p.county_code < shuitu.scope_hi())
                     or p.basin_id = shuitu.scope_basin(), false);

create or replace view map.candidates as
  select id, code, kind, category, state, score, area_m2, volume_m3, county_code, acquired_at, generated, geom, nullif(reason, '') as reason
  from shuitu.candidates;

-- An intake that is neither linked nor ended has no permit (app/registry/links.py): it is not looked for. That is most
-- of them, and a page of 1,000 takes half as long.
create or replace view map.intakes as
  select i.id, i.code, i.name, i.holder_name, i.source_type, i.permit_state, i.status, i.purpose,
         i.annual_volume_m3, i.county_code, i.basin_id, i.water_body, i.aquifer_layer, i.off_stream, i.place,
         case when i.permit_state in ('linked', 'ended') then
           (select string_agg(p.permit_no, ' ' order by p.permit_no)
              from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
             where pi.intake_id = i.id and pi.valid_to is null) end as permit_no,
         i.geom, map.volume_class(i.annual_volume_m3) as volume_class,
         coalesce(extract(year from i.started_on),
                  case when i.permit_state in ('linked', 'ended') then
                    (select extract(year from min(p.valid_from))
                       from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
                      where pi.intake_id = i.id and pi.valid_to is null) end)::integer as started_year,
         coalesce(r.state, 'none') as review_state, case when r.state = 'published' then r.published_on end as published_on,
         i.zone_code, i.works_type, i.water_body_type, i.abstraction_mode
  from shuitu.intakes i left join shuitu.review_items r on r.intake_id = i.id and r.latest;
