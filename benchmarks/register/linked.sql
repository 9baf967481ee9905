-- What a run of the linkage leaves behind, for the generated register: permits' intakes near the register's entries, links
-- that name them, pairs confirmed and open, a line for every entry, and permits' intakes without an entry.
create temporary table numbered on commit drop as
  select l.id as link_id, l.permit_id, l.intake_id, row_number() over (partition by l.permit_id order by l.intake_id)::smallint as seq
  from shuitu.permit_intakes l where l.valid_to is null and l.permit_point_id is null;
-- next
insert into shuitu.permit_points (permit_id, seq, name, place, geom, source_type, purpose, annual_m3, county_code, basin_id)
select n.permit_id, n.seq, i.name, i.place, st_translate(i.geom, (hashint8(i.id) % 100) * 1e-6, (hashint8(-i.id) % 100) * 1e-6), i.source_type, i.purpose,
  i.annual_volume_m3, i.county_code, i.basin_id
from numbered n join shuitu.intakes i on i.id = n.intake_id order by n.permit_id, n.seq;
-- next
-- One permit in sixteen lists an intake that the register does not have.
insert into shuitu.permit_points (permit_id, seq, name, geom, source_type, county_code, basin_id)
select n.permit_id, 100, i.name || '备用', st_translate(i.geom, 0.02, 0.01), i.source_type, i.county_code, i.basin_id
from numbered n join shuitu.intakes i on i.id = n.intake_id where n.seq = 1 and n.permit_id % 16 = 0;
-- next
update shuitu.permit_intakes l set permit_point_id = t.id, origin = 'linkage'
from numbered n join shuitu.permit_points t on t.permit_id = n.permit_id and t.seq = n.seq where l.id = n.link_id;
-- next
insert into shuitu.link_pairs (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, state, decided_by, decided_name, decided_at,
  county_code, basin_id)
select n.intake_id, n.permit_id, t.id, 0.99, 10, '{reasons}', 'confirmed', 'rule', 'rule', now(), t.county_code, t.basin_id
from numbered n join shuitu.permit_points t on t.permit_id = n.permit_id and t.seq = n.seq order by n.intake_id;
-- next
-- An entry that is not decided has a pair open with a permit of its county.
insert into shuitu.link_pairs (intake_id, permit_id, permit_point_id, probability, distance_m, reasons, county_code, basin_id)
select i.id, t.permit_id, t.id, 0.5 + (i.id % 45) / 100.0, 1500, '{reasons}', i.county_code, i.basin_id
from (select id, county_code, basin_id, row_number() over (partition by county_code order by id) as n from shuitu.intakes
      where permit_state = 'pending' and off_stream) i
join (select id, permit_id, county_code, row_number() over (partition by county_code order by id) as n, count(*) over (partition by county_code) as many
      from shuitu.permit_points where seq < 100) t on t.county_code = i.county_code and t.n = i.n % t.many + 1;
-- next
insert into shuitu.link_outcomes (intake_id, outcome, ground, probability, pairs_open, source_type, decided_by, decided_name, decided_at, county_code, basin_id)
select i.id, s.outcome, case s.outcome when 'exempt' then 'household' end, l.probability, coalesce(l.n, 0), i.source_type, s.by, s.by,
  case when s.by is not null then now() end, i.county_code, i.basin_id
from shuitu.intakes i
left join (select intake_id, max(probability) as probability, count(*) filter (where state = 'open') as n from shuitu.link_pairs group by 1) l on l.intake_id = i.id
cross join lateral (select case i.permit_state when 'exempt' then 'exempt' when 'unpermitted' then 'intake_without_permit' when 'pending' then 'pending'
  else 'one_to_one' end as outcome, case when i.permit_state <> 'pending' then 'rule' end as by) s
where i.off_stream and i.status <> 'ended' order by i.id;
-- next
insert into shuitu.link_outcomes (permit_id, permit_point_id, outcome, decided_by, decided_name, decided_at, source_type, county_code, basin_id)
select t.permit_id, t.id, 'permit_without_intake', 'rule', 'rule', now(), t.source_type, t.county_code, t.basin_id
from shuitu.permit_points t join shuitu.permits p on p.id = t.permit_id
where t.seq = 100 and p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date);
-- next
-- A quarter of the counties are in review: published, with the prefecture, or waiting for the basin's spot check.
insert into shuitu.review_batches (county_code, first_stage, first_code, stage, state, created_by, submitted_at, entered_on, due_on, closed_at)
select code, 'county', code, case code % 12 when 4 then 'prefecture' else 'basin' end, case code % 12 when 0 then 'published' else 'reviewing' end,
  'system:benchmark', now(), current_date, current_date + 20, case code % 12 when 0 then now() end
from (select distinct county_code as code from shuitu.link_outcomes where county_code % 4 = 0) c order by code;
-- next
insert into shuitu.review_items (batch_id, outcome_id, outcome_version, intake_id, permit_id, outcome, source_type, state, latest, published_on, facts, geom,
  county_code, basin_id, first_code)
select b.id, o.id, o.version, o.intake_id, coalesce(o.permit_id, l.permit_id), o.outcome, o.source_type,
  case b.state when 'published' then 'published' else 'in_review' end, true, case b.state when 'published' then current_date end,
  jsonb_strip_nulls(jsonb_build_object('intake', jsonb_build_object('code', i.code, 'name', i.name, 'holder_name', i.holder_name, 'annual_m3', i.annual_volume_m3),
    'pair', case when l.permit_id is not null then jsonb_build_object('probability', o.probability, 'reasons', '{reasons}'::jsonb) end)),
  i.geom, o.county_code, o.basin_id, b.first_code
from shuitu.link_outcomes o join shuitu.review_batches b on b.county_code = o.county_code
left join shuitu.intakes i on i.id = o.intake_id
left join shuitu.permit_intakes l on l.intake_id = o.intake_id and l.valid_to is null
where o.outcome <> 'pending' order by b.id, o.id;
-- next
update shuitu.review_batches b set items = n from (select batch_id, count(*) as n from shuitu.review_items group by 1) i where i.batch_id = b.id;
