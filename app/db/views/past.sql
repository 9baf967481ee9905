-- The register on a past day. Two times: what held on a day (valid time), as it was known at a moment (transaction time).
--
-- Of the versions of an entry that were recorded by then and hold from that day or earlier, the newest tells. The views
-- run with the rights of shuitu_owner, which row-level security binds too; the functions over them are plain SQL that the
-- planner inlines, so that a box or a county is looked up in the indexes of the present and of the history, and a page by
-- id is read in the order of both: present and history are joined without conditions of their own, or they are not merged.
--
-- A version holds from the day it says (permits.effective_on, intakes.valid_from). One that says none: the first from
-- the beginning of the permit's term, or always; a later one from the day it was recorded.
create or replace function map.recorded_day(recorded_at timestamptz) returns date language sql immutable parallel safe
  return (recorded_at at time zone 'Asia/Shanghai')::date;

-- What a permit's status was on a day: an end that came later had not come yet, and a term runs out by itself.
create or replace function map.status_on(status text, ended_on date, valid_to date, on_date date) returns text
  language sql immutable parallel safe
  return case when status = 'pending' then status
              when status in ('cancelled', 'annulled', 'revoked') and (ended_on is null or ended_on <= on_date) then status
              when valid_to < on_date then 'expired' else 'valid' end;

create or replace view map.permit_current as
  select id, version, permit_no, holder_name, status, ended_on, annual_volume_m3, source_type, purpose, issuing_authority,
         supervising_authority, county_code, basin_id, valid_from, valid_to, recorded_at, 'infinity'::timestamptz as recorded_until,
         coalesce(effective_on, case when version = 1 then coalesce(valid_from, '-infinity') else map.recorded_day(recorded_at) end) as effective_on
  from shuitu.permits;
create or replace view map.permit_former as
  select id, version, permit_no, holder_name, status, ended_on, annual_volume_m3, source_type, purpose, issuing_authority,
         supervising_authority, county_code, basin_id, valid_from, valid_to, recorded_at, recorded_until,
         coalesce(effective_on, case when version = 1 then coalesce(valid_from, '-infinity') else map.recorded_day(recorded_at) end) as effective_on
  from shuitu.permit_history;
create or replace view map.intake_current as
  select id, version, code, name, holder_name, source_type, permit_state, status, purpose, annual_volume_m3, county_code, basin_id,
         water_body, aquifer_layer, off_stream, place, geom, started_on, valid_to, recorded_at, 'infinity'::timestamptz as recorded_until,
         coalesce(valid_from, case when version = 1 then '-infinity' else map.recorded_day(recorded_at) end) as effective_on,
         zone_code, works_type, water_body_type, abstraction_mode
  from shuitu.intakes;
create or replace view map.intake_former as
  select id, version, code, name, holder_name, source_type, permit_state, status, purpose, annual_volume_m3, county_code, basin_id,
         water_body, aquifer_layer, off_stream, place, geom, started_on, valid_to, recorded_at, recorded_until,
         coalesce(valid_from, case when version = 1 then '-infinity' else map.recorded_day(recorded_at) end) as effective_on,
         zone_code, works_type, water_body_type, abstraction_mode
  from shuitu.intake_history;
create or replace view map.link_versions as
  select permit_id, intake_id, valid_from, valid_to, recorded_at, ended_at from shuitu.permit_intakes;

-- The permits of one intake on that day: their numbers, whether one is in force, the year of the first.
create or replace function map.permits_of_intake_at(intake bigint, on_date date, known timestamptz)
returns table (permit_no text, in_force boolean, first_year integer) language sql stable parallel safe as $$
  select string_agg(p.permit_no, ' ' order by p.permit_no), coalesce(bool_or(p.status = 'valid'), false),
         extract(year from min(p.valid_from))::integer
  from map.link_versions l
  cross join lateral (
    select v.permit_no, v.valid_from, map.status_on(v.status, v.ended_on, v.valid_to, on_date) as status
    from (select * from map.permit_current c where c.id = l.permit_id union all select * from map.permit_former h where h.id = l.permit_id) v
    where v.effective_on <= on_date and (known is null or v.recorded_at <= known)
    order by v.version desc limit 1
  ) p
  where l.intake_id = intake and l.valid_from <= on_date
    and (l.valid_to is null or l.valid_to > on_date or l.ended_at > known) and (known is null or l.recorded_at <= known)
$$;

-- Where an intake stood in the review at the end of a day. (Reviews are dated by the day they were recorded: what was
-- known and what held are one.)
create or replace view map.review_versions as
  -- The batch is looked up for each item: joined, the planner goes through all batches for each intake.
  select r.intake_id, r.id, r.state, r.published_on,
         map.recorded_day((select b.submitted_at from shuitu.review_batches b where b.id = r.batch_id)) as submitted_on,
         map.recorded_day(r.closed_at) as closed_on
  from shuitu.review_items r
  where r.state not in ('draft', 'withdrawn');
create or replace function map.review_at(intake bigint, on_date date)
returns table (review_state text, published_on date) language sql stable parallel safe as $$
  select case when v.closed_on <= on_date then v.state when v.published_on <= on_date then 'published' else 'in_review' end,
         case when v.published_on <= on_date and not (v.state = 'stale' and v.closed_on <= on_date) then v.published_on end
  from map.review_versions v where v.intake_id = intake and v.submitted_on <= on_date order by v.id desc limit 1
$$;

-- They return rows of the views, which may have got other columns.
drop function if exists map.intakes_at(date, timestamptz), map.permits_at(date, timestamptz);
create function map.intakes_at(on_date date, known timestamptz default null) returns setof map.intakes
language sql stable parallel safe as $$
  select v.id, v.code, v.name, v.holder_name, v.source_type,
         case when p.in_force then 'linked' when p.permit_no is not null then 'ended'
              when v.permit_state in ('exempt', 'unpermitted') then v.permit_state else 'pending' end,
         v.status, v.purpose, v.annual_volume_m3, v.county_code, v.basin_id, v.water_body, v.aquifer_layer, v.off_stream, v.place,
         p.permit_no, v.geom, map.volume_class(v.annual_volume_m3), coalesce(extract(year from v.started_on)::integer, p.first_year),
         coalesce(r.review_state, 'none'), r.published_on,
         v.zone_code, v.works_type, v.water_body_type, v.abstraction_mode
  from (select * from map.intake_current union all select * from map.intake_former) v
  cross join lateral map.permits_of_intake_at(v.id, on_date, known) p
  left join lateral map.review_at(v.id, on_date) r on true
  where v.effective_on <= on_date and (known is null or v.recorded_at <= known)
    and (v.started_on is null or v.started_on <= on_date) and (v.valid_to is null or v.valid_to > on_date)
    and (v.recorded_until = 'infinity' or (
      not exists (select from map.intake_current c where c.id = v.id
                  and (known is null or c.recorded_at <= known) and c.effective_on <= on_date)
      and not exists (select from map.intake_former n where n.id = v.id and n.version > v.version
                      and (known is null or n.recorded_at <= known) and n.effective_on <= on_date)
      -- Taken out of the register, and known to be: it is not there on any day.
      and (exists (select from map.intake_current c where c.id = v.id)
           or exists (select from map.intake_former n where n.id = v.id and n.recorded_until > known))))
$$;

-- A permit stands where it stands today; one that has no intakes any more, at the centre of those it had on that day.
create function map.permits_at(on_date date, known timestamptz default null) returns setof map.permits
language sql stable parallel safe as $$
  select v.id, v.permit_no, v.holder_name, map.status_on(v.status, v.ended_on, v.valid_to, on_date), v.annual_volume_m3, v.source_type,
         v.purpose, v.issuing_authority, v.supervising_authority, v.county_code, v.valid_from, v.valid_to,
         (select count(*)::integer from map.link_versions l
           where l.permit_id = v.id and l.valid_from <= on_date
             and (l.valid_to is null or l.valid_to > on_date or l.ended_at > known) and (known is null or l.recorded_at <= known)),
         v.geom, map.volume_class(v.annual_volume_m3), extract(year from v.valid_from)::integer, v.basin_id
  from (
    select u.*, m.geom
    from map.permit_points m join (select * from map.permit_current union all select * from map.permit_former) u on u.id = m.id
    where u.effective_on <= on_date and (known is null or u.recorded_at <= known)
      and (u.recorded_until = 'infinity' or (
        not exists (select from map.permit_current c where c.id = u.id
                    and (known is null or c.recorded_at <= known) and c.effective_on <= on_date)
        and not exists (select from map.permit_former n where n.id = u.id and n.version > u.version
                        and (known is null or n.recorded_at <= known) and n.effective_on <= on_date)))
    union all
    select e.*, g.geom
    from (select permit_id from map.link_versions where valid_to is not null
          union
          select permit_id from map.link_versions where valid_to is null and (select shuitu.scope_hi() - shuitu.scope_lo() < 1000000)) l
    cross join lateral (
      select * from (select * from map.permit_current c where c.id = l.permit_id
                     union all select * from map.permit_former h where h.id = l.permit_id) u
      where u.effective_on <= on_date and (known is null or u.recorded_at <= known) order by u.version desc limit 1
    ) e
    join lateral (
      select st_centroid(st_collect(i.geom))::geometry(Point, 4490) as geom
      from map.link_versions k join map.intake_current i on i.id = k.intake_id
      where k.permit_id = l.permit_id and k.valid_from <= on_date
        and (k.valid_to is null or k.valid_to > on_date or k.ended_at > known) and (known is null or k.recorded_at <= known)
    ) g on g.geom is not null
    where not exists (select from map.permit_points m where m.id = l.permit_id)
  ) v
$$;
grant execute on function map.recorded_day(timestamptz), map.status_on(text, date, date, date),
  map.permits_of_intake_at(bigint, date, timestamptz), map.intakes_at(date, timestamptz), map.permits_at(date, timestamptz) to shuitu_map, shuitu_service;
