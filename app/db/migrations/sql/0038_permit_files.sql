-- Files that tell of permits: what a permit lists, and events with their day and document.

-- A permit's own county reads what the permit lists, wherever that lies; and where a point lies, the permit is read: that
-- is where it is matched (属地). The columns are the permit's, so that the policies need not ask each other.
alter table shuitu.permit_points add column permit_county integer;
alter table shuitu.permit_points add column permit_basin smallint;
create function shuitu.name_permit_county() returns trigger language plpgsql as $$
begin
  select county_code, basin_id into new.permit_county, new.permit_basin from shuitu.permits where id = new.permit_id;
  return new;
end $$;
create trigger permit_county before insert or update of permit_id on shuitu.permit_points
  for each row execute function shuitu.name_permit_county();
select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true);
update shuitu.permit_points pp set permit_county = p.county_code, permit_basin = p.basin_id from shuitu.permits p where p.id = pp.permit_id;
create policy of_permit on shuitu.permit_points for select
  using ((permit_county >= shuitu.scope_lo() and permit_county < shuitu.scope_hi()) or permit_basin = shuitu.scope_basin());
create policy by_point on shuitu.permits for select
  using (exists (select 1 from shuitu.permit_points pp where pp.permit_id = permits.id and pp.valid_to is null));
create policy by_point on shuitu.permit_limits for select
  using (exists (select 1 from shuitu.permit_points pp where pp.permit_id = permit_limits.permit_id and pp.valid_to is null));

-- Who changed one entry, for its dossier.
create index changes_entity on shuitu.changes (layer, entity_id) where entity_id is not null;
-- The daily search for terms that ran out.
create index permits_running on shuitu.permits (valid_to) where status = 'valid' and valid_to is not null;
-- Paper numbers whose serial lasts (宁水资〔2007〕308号): a renewal changes the year alone (app.registry.numbers).
create index permits_lasting on shuitu.permits (regexp_replace(permit_no, '\[\d{4}\]', '')) where permit_no ~ '^取水.*第[AB]\d{8}号$';

alter table staging.permits alter column event drop not null, add column effective_on date, add column document_no text not null default '',
  add column ground text, add column reason text not null default '';
alter table staging.intakes add column valid_from date;
create unlogged table staging.permit_points (
  import_id uuid not null, row_no bigint not null,
  permit_no text not null, seq integer, code text, name text not null, place text not null, lon double precision, lat double precision,
  position_error_m double precision, source_type text not null, water_body text not null, purpose text not null,
  annual_m3 double precision, county_code integer, attributes jsonb not null
);
create index on staging.permit_points (import_id, permit_no);
grant select, insert, update, delete on staging.permit_points to shuitu_service;
