-- Where rows of a file wait until they are applied. PostgreSQL refuses COPY into tables under row-level
-- security, so these have none; only the service reaches them, and only an import reads them. Unlogged:
-- after a crash of the server they are empty, and the import starts again from its file.
create schema staging;
grant usage on schema staging to shuitu_service;
create unlogged table staging.intakes (
  import_id uuid not null, row_no bigint not null,
  code text not null, code_scheme text not null, name text not null, holder_name text not null, uscc text,
  county_code integer not null, basin_id smallint, zone_code text, town text not null, place text not null,
  source_type text not null, water_body_type text, water_body text not null, aquifer_layer text, well_status text,
  abstraction_mode text, works_type text, purpose text not null, industry_code text, off_stream boolean not null,
  exempt boolean not null, annual_volume_m3 double precision, design_flow_m3s double precision, well_depth_m double precision,
  started_on date, declared_datum text not null, permit_nos text[] not null, attributes jsonb not null,
  lon double precision not null, lat double precision not null
);
create index on staging.intakes (import_id, code_scheme, code);
create unlogged table staging.permits (
  import_id uuid not null, row_no bigint not null,
  permit_no text not null, permit_no_raw text not null, previous_number text, e_licence text,
  status text, event text not null, holder_name text not null, uscc text, county_code integer not null, basin_id smallint,
  zone_code text, issuing_authority text not null, issuing_level text, supervising_authority text not null,
  source_type text not null, purpose text not null, industry_code text, annual_volume_m3 double precision,
  daily_m3 double precision, flow_m3s double precision, occupies_quota boolean not null, valid_from date, valid_to date,
  place text not null, intake_codes text[] not null, limit_period text not null, limit_source text not null,
  limit_well_field text not null, limit_purpose text not null, limit_condition text not null, attributes jsonb not null
);
create index on staging.permits (import_id, permit_no);
create unlogged table staging.regions (
  import_id uuid not null, row_no bigint not null,
  code integer not null, name text not null, level smallint not null, parent_code integer, aliases text[] not null,
  valid_from date not null, valid_to date, attributes jsonb not null, wkb text not null
);
create index on staging.regions (import_id, code);
create unlogged table staging.indicators (
  import_id uuid not null, row_no bigint not null,
  region_code integer, basin_id smallint, kind text not null, source_type text not null, purpose text not null,
  river text not null, level_year smallint not null, frequency text not null, value double precision not null,
  unit text not null, document_no text not null, valid_from date, valid_to date, attributes jsonb not null
);
create index on staging.indicators (import_id);
grant select, insert, update, delete on all tables in schema staging to shuitu_service;
