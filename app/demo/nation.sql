-- The nation's generated rows, from the two temporary tables that arrived by COPY. Ids count on from what is there.
create temporary table base on commit drop as
  select (select coalesce(max(id), 0) from shuitu.intakes) as intake, (select coalesce(max(id), 0) from shuitu.permits) as permit,
         (select coalesce(max(id), 0) from shuitu.holders) as holder;
create temporary table places on commit drop as
  select distinct on (code) code, name, name || '水务公司' as holder from shuitu.regions where level = 3 order by code, valid_from desc;
-- next
insert into shuitu.holders (id, name, kind, county_code) overriding system value
select p.id + b.holder, c.holder || p.serial || '（示例）', 'company', p.county
from arriving_permits p join places c on c.code = p.county cross join base b order by p.id;
-- next
insert into shuitu.permits (id, permit_no, permit_no_raw, event, status, holder_id, holder_name, county_code, issuing_authority,
  issuing_level, source_type, purpose, annual_volume_m3, valid_from, valid_to, attributes) overriding system value
select p.id + b.permit, no, no, 'issue', (array['valid', 'expired', 'cancelled'])[p.status + 1], p.id + b.holder,
  c.holder || p.serial || '（示例）', p.county, c.name || '水利局', 'county', (array['surface_water', 'groundwater'])[p.source + 1],
  (array['irrigation', 'industry', 'public_supply', 'domestic'])[p.id % 4 + 1], p.volume, first, first + 1825,
  '{"数据说明": "示例数据（程序生成）"}'
from arriving_permits p join places c on c.code = p.county cross join base b
-- Days count back from the load: what is in force is so whatever day that is, what expired did long before.
cross join lateral (select current_date - p.age_days - case p.status when 1 then 2000 else 0 end as first) f
cross join lateral (select 'D' || p.county || (array['S', 'G'])[p.source + 1] || extract(year from first) || '-' || lpad(p.serial::text, 6, '0') as no) n
order by p.id;
-- next
insert into shuitu.permit_events (permit_id, version, event, effective_on, actor_name, county_code)
select p.id, 1, 'issue', p.valid_from, 'system:nation', p.county_code from shuitu.permits p cross join base b where p.id > b.permit;
-- next
insert into shuitu.intakes (id, code, code_scheme, name, holder_id, holder_name, county_code, source_type, abstraction_mode, works_type,
  purpose, permit_state, annual_volume_m3, geom) overriding system value
select i.id + b.intake, i.county || lpad(i.serial::text, 6, '0'), 'generated',
  c.name || i.serial || (array['号提水站', '号机井'])[i.source + 1], case when i.permit > 0 then i.permit + b.holder end,
  case when i.permit > 0 then c.holder || p.serial || '（示例）' else '' end, i.county,
  (array['surface_water', 'groundwater'])[i.source + 1], (array['pump', 'well'])[i.source + 1], (array['pump', 'well'])[i.source + 1],
  (array['irrigation', 'industry', 'public_supply', 'domestic'])[case when i.permit > 0 then i.permit % 4 + 1 else 1 end],
  (array['linked', 'pending', 'unpermitted', 'exempt', 'ended'])[i.state + 1], i.volume, st_setsrid(st_makepoint(i.lon, i.lat), 4490)
from arriving_intakes i join places c on c.code = i.county left join arriving_permits p on p.id = i.permit cross join base b
order by i.id;
-- next
insert into shuitu.permit_intakes (permit_id, intake_id, county_code)
select i.permit + b.permit, i.id + b.intake, i.county from arriving_intakes i cross join base b where i.permit > 0 order by i.permit;
select setval(pg_get_serial_sequence('shuitu.' || t, 'id'), m) from (
  select 'holders' t, max(id) m from shuitu.holders union all select 'permits', max(id) from shuitu.permits
  union all select 'intakes', max(id) from shuitu.intakes) s;
