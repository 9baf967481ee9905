-- Features packed by small tiles (level 14 of Web Mercator), county and basin, with every field of the layer's view: what
-- pages of features by box read (tiles.sheets). The worker fills them; until then such pages are read as before.
create table map.intake_sheets (
  block         bigint not null,                -- key >> 34
  county_code   integer not null,
  basin_id      smallint not null,
  x0            integer not null,               -- what its points lie in, in world units; both ends are some point's
  y0            integer not null,
  x1            integer not null,
  y1            integer not null,
  ids           bytea not null,                 -- of each feature, in one order: int8, big-endian
  keys          bytea not null,                 -- int8
  lons          bytea not null,                 -- float8, as on record
  lats          bytea not null,
  -- Declared values and yes or no: a byte, 0 for none. Numbers: float8 (NaN for none), int8. Texts: UTF-8 with a zero
  -- between, ff for none.
  code          bytea not null,
  name          bytea not null,
  holder_name   bytea not null,
  source_type   bytea not null,
  permit_state  bytea not null,
  status        bytea not null,
  purpose       bytea not null,
  annual_volume_m3 bytea not null,
  volume_class  bytea not null,
  started_year  bytea not null,
  water_body    bytea not null,
  aquifer_layer bytea not null,
  water_body_type bytea not null,
  abstraction_mode bytea not null,
  works_type    bytea not null,
  off_stream    bytea not null,
  zone_code     bytea not null,
  place         bytea not null,
  permit_no     bytea not null,
  review_state  bytea not null,
  published_on  bytea not null,
  primary key (block, county_code, basin_id)
) with (toast_tuple_target = 8160);
do $$
declare c text;
begin
  -- Most texts and numbers of a place are alike: a quick method makes them small, where the server has one.
  if 'lz4' = any (select unnest(enumvals) from pg_settings where name = 'default_toast_compression') then
    for c in select attname from pg_attribute where attrelid = 'map.intake_sheets'::regclass and atttypid = 'bytea'::regtype loop
      execute format('alter table map.intake_sheets alter %I set compression lz4', c);
    end loop;
  end if;
end $$;
create index intake_sheets_county on map.intake_sheets (county_code);
alter table map.intake_sheets enable row level security, force row level security;
create policy by_scope on map.intake_sheets
  using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
         or basin_id = (select shuitu.scope_basin()));
grant truncate on map.intake_sheets to shuitu_service;
-- By which declaration the sheets of a layer were written; null: not yet.
alter table map.published add column sheets text;
