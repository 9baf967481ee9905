-- Schema shuitu: the facts, owned by the features. Schema map: what the map may read.
-- Every table with a region is under row-level security, forced for its owner too, because the
-- views of schema map run with the owner's rights.
create schema map;
grant usage on schema shuitu to shuitu_service;
grant usage on schema map to shuitu_service, shuitu_map;
alter default privileges in schema shuitu grant select, insert, update, delete on tables to shuitu_service;
alter default privileges in schema shuitu grant usage, select on sequences to shuitu_service;
alter default privileges in schema shuitu grant execute on functions to shuitu_service;
alter default privileges in schema map grant select on tables to shuitu_map;
alter default privileges in schema map grant select, insert, update, delete on tables to shuitu_service;

-- Who sees what. A setting that was set once in a session reads '' afterwards, not NULL: nullif
-- turns it back, and NULL shows nothing. Unset scope, no rows.
create function shuitu.scope_lo() returns integer language sql stable parallel safe
  return nullif(current_setting('app.scope_lo', true), '')::integer;
create function shuitu.scope_hi() returns integer language sql stable parallel safe
  return nullif(current_setting('app.scope_hi', true), '')::integer;
create function shuitu.scope_basin() returns smallint language sql stable parallel safe
  return nullif(current_setting('app.scope_basin', true), '')::smallint;
create function shuitu.actor_id() returns integer language sql stable parallel safe
  return nullif(current_setting('app.actor_id', true), '')::integer;
grant execute on all functions in schema shuitu to public;
grant usage on schema shuitu to shuitu_map;

-- ── access ────────────────────────────────────────────────────────────────────────────────────
create table shuitu.users (
  id            integer generated always as identity primary key,
  username      text not null unique check (username ~ '^[a-z0-9][a-z0-9._-]{1,63}$'),
  display_name  text not null default '',
  password_hash text not null,
  role          text not null check (role in ('viewer', 'analyst', 'officer', 'admin')),
  scope_lo      integer not null,
  scope_hi      integer not null,
  scope_basin   smallint,
  is_active     boolean not null default true,
  created_at    timestamptz not null default now(),
  check ((scope_basin is null and scope_lo < scope_hi) or (scope_basin is not null and scope_lo = scope_hi))
);
create table shuitu.sessions (
  token_hash bytea primary key,
  user_id    integer not null references shuitu.users on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index on shuitu.sessions (user_id);
create table shuitu.api_keys (
  id           integer generated always as identity primary key,
  user_id      integer not null references shuitu.users on delete cascade,
  label        text not null,
  prefix       text not null unique,
  key_hash     bytea not null,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
);

-- ── the ground: regions, basin agencies, water-resource zones (public reference data) ───────────
create table shuitu.regions (
  id          integer generated always as identity primary key,
  code        integer not null check (code between 100000 and 999999),  -- GB/T 2260
  name        text not null,
  level       smallint not null check (level between 1 and 3),          -- 1 省, 2 市, 3 县
  parent_code integer,
  aliases     text[] not null default '{}',
  valid_from  date not null default '1900-01-01',
  valid_to    date,
  geom        geometry(MultiPolygon, 4490) not null,
  label       geometry(Point, 4490) not null,
  import_id   uuid,
  unique (code, valid_from),
  check (valid_to is null or valid_to > valid_from)
);
create index on shuitu.regions using gist (geom);
create index on shuitu.regions (parent_code);
create index on shuitu.regions using gin (name gin_trgm_ops);

create table shuitu.basin_agencies (
  id   smallint primary key,
  code text not null unique,
  name text not null,
  name_en text not null default '',
  geom geometry(MultiPolygon, 4490)
);
create table shuitu.water_resource_zones (
  code     text primary key check (code ~ '^[A-HJK][0-9]{6}$'),
  name     text not null,
  level    smallint not null check (level between 1 and 5),
  basin_id smallint references shuitu.basin_agencies,
  geom     geometry(MultiPolygon, 4490)
);
create index on shuitu.water_resource_zones using gist (geom);

-- ── imports ──────────────────────────────────────────────────────────────────────────────────────
create table shuitu.imports (
  id            uuid primary key default gen_random_uuid(),
  kind          text not null,
  filename      text not null,
  stored_as     text not null,                  -- path below the uploads folder, or absolute
  sha256        text not null,
  mapping       jsonb not null default '{}',
  state         text not null default 'waiting'
                check (state in ('waiting', 'staging', 'applying', 'done', 'failed', 'cancelled')),
  rows_total    bigint,
  rows_read     bigint not null default 0,
  rows_rejected bigint not null default 0,
  rows_warned   bigint not null default 0,
  rows_new      bigint,
  rows_changed  bigint,
  rows_same     bigint,
  problem       text,
  actor_id      integer references shuitu.users,
  actor_name    text not null,
  scope_lo      integer not null,
  scope_hi      integer not null,
  scope_basin   smallint,
  created_at    timestamptz not null default now(),
  started_at    timestamptz,
  heartbeat_at  timestamptz,
  finished_at   timestamptz
);
create table shuitu.import_rejects (
  import_id uuid not null references shuitu.imports on delete cascade,
  row_no    bigint not null,                    -- as a person counts in the file: first data row is 1
  severity  text not null default 'reject' check (severity in ('reject', 'warning')),
  field     text not null,
  value     text,
  reason    text not null,                      -- code of the reason; wording is the front end's and the report's
  message   text not null,                      -- the sentence, Chinese first
  expected  text,
  raw       json                                -- the row as it came, columns in their order (rejects only)
);
create index on shuitu.import_rejects (import_id, severity, row_no);

-- ── indicators ─────────────────────────────────────────────────────────────────────────────────
create table shuitu.control_indicators (
  id           bigint generated always as identity primary key,
  region_code  integer,
  basin_id     smallint references shuitu.basin_agencies,
  kind         text not null check (kind in ('total_use_cap', 'licensing_cap', 'surface_cap', 'groundwater_cap',
                 'groundwater_level', 'environmental_flow', 'unconventional_min')),
  source_type  text not null default 'all',
  purpose      text not null default 'all',
  river        text not null default '',
  level_year   smallint not null check (level_year between 2000 and 2100),
  frequency    text not null default 'mean' check (frequency in ('mean', 'P50', 'P75', 'P90', 'P95')),
  value        double precision not null,
  unit         text not null check (unit in ('m3', 'm3/s', 'm')),
  document_no  text not null default '',
  valid_from   date,
  valid_to     date,
  import_id    uuid references shuitu.imports,
  recorded_at  timestamptz not null default now(),
  check ((region_code is null) <> (basin_id is null))
);
create unique index control_indicators_key on shuitu.control_indicators
  (coalesce(region_code, 0), coalesce(basin_id, 0::smallint), kind, source_type, purpose, river, level_year, frequency);

-- ── registry ───────────────────────────────────────────────────────────────────────────────────
create table shuitu.holders (
  id          bigint generated always as identity primary key,
  name        text not null,
  uscc        text,                              -- 统一社会信用代码 GB 32100
  kind        text not null default 'unknown' check (kind in ('company', 'collective', 'public_body', 'person', 'unknown')),
  county_code integer not null,
  basin_id    smallint,
  import_id   uuid references shuitu.imports
);
-- A holder is one per credit code and county, or per name and county where there is no code. (One
-- company with plants in two counties is two rows here: who may see it follows the county.)
create unique index holders_by_uscc on shuitu.holders (uscc, county_code) where uscc is not null;
create unique index holders_by_name on shuitu.holders (name, county_code) where uscc is null;
create index on shuitu.holders using gin (name gin_trgm_ops);
create index on shuitu.holders (county_code);

create table shuitu.permits (
  id                    bigint generated always as identity primary key,
  permit_no             text not null unique,    -- normalised business key
  permit_no_raw         text not null,           -- as typed
  previous_number       text,
  e_licence             text,                    -- 证照标识 GB/T 36904
  version               integer not null default 1,
  event                 text not null default 'issue' check (event in ('issue', 'renew', 'vary', 'transfer', 'expire',
                          'cancel', 'annul', 'revoke', 'correct')),
  status                text not null check (status in ('valid', 'expired', 'cancelled', 'annulled', 'revoked', 'pending')),
  holder_id             bigint references shuitu.holders,
  holder_name           text not null,
  county_code           integer not null,        -- place: county of the (main) intake
  basin_id              smallint,
  zone_code             text,
  issuing_authority     text not null default '',
  issuing_level         text check (issuing_level in ('basin', 'province', 'prefecture', 'county')),
  supervising_authority text not null default '',
  source_type           text not null default 'unknown',
  purpose               text not null default 'other',
  industry_code         text,
  annual_volume_m3      double precision check (annual_volume_m3 >= 0),
  occupies_quota        boolean not null default true,
  valid_from            date,
  valid_to              date,
  place                 text not null default '',
  attributes            jsonb not null default '{}',
  import_id             uuid references shuitu.imports,
  source_row            bigint,
  recorded_at           timestamptz not null default now(),
  check (valid_to is null or valid_from is null or valid_to >= valid_from)
);
create index on shuitu.permits (county_code);
create index on shuitu.permits (basin_id);
create index on shuitu.permits (holder_id);
create index on shuitu.permits (valid_to);
create index on shuitu.permits using gin (holder_name gin_trgm_ops);
create index on shuitu.permits using gin (permit_no gin_trgm_ops);
create table shuitu.permit_history (like shuitu.permits, recorded_until timestamptz not null);
alter table shuitu.permit_history add primary key (id, version);

-- One annual number is not enough: limits by period, source or well field, and use (domain: 宁水审发〔2025〕171号).
create table shuitu.permit_limits (
  permit_id    bigint not null references shuitu.permits on delete cascade,
  version      integer not null,
  seq          smallint not null,
  period       text not null default '',         -- e.g. 05-01/09-30; empty: all year
  source_type  text not null default 'all',
  well_field   text not null default '',
  purpose      text not null default 'all',
  annual_m3    double precision,
  daily_m3     double precision,
  flow_m3s     double precision,
  condition    text not null default '',
  county_code  integer not null,
  basin_id     smallint,
  primary key (permit_id, version, seq)
);

create table shuitu.intakes (
  id                   bigint generated always as identity primary key,
  code                 text not null,
  code_scheme          text not null default 'register',
  version              integer not null default 1,
  name                 text not null,
  holder_id            bigint references shuitu.holders,
  holder_name          text not null default '',
  county_code          integer not null,
  basin_id             smallint,
  zone_code            text,
  town                 text not null default '',
  place                text not null default '',
  source_type          text not null default 'unknown'
                       check (source_type in ('surface_water', 'groundwater', 'unconventional_water', 'unknown')),
  water_body_type      text,                     -- river lake reservoir other · spring geothermal mineral · reclaimed …
  water_body           text not null default '',
  aquifer_layer        text,                     -- 开采层位: shallow, deep_confined, with free text in attributes
  well_status          text check (well_status in ('in_use', 'emergency_reserve', 'sealed', 'backfilled')),
  abstraction_mode     text,                     -- gravity pump storage well
  works_type           text,
  purpose              text not null default 'other',
  industry_code        text,
  off_stream           boolean not null default true,
  status               text not null default 'in_use' check (status in ('in_use', 'emergency_reserve', 'sealed', 'backfilled', 'ended')),
  permit_state         text not null default 'pending'
                       check (permit_state in ('linked', 'pending', 'unpermitted', 'exempt', 'ended')),
  annual_volume_m3     double precision check (annual_volume_m3 >= 0),
  design_flow_m3s      double precision check (design_flow_m3s >= 0),
  well_depth_m         double precision,
  started_on           date,
  declared_datum       text not null default 'CGCS2000',
  position_error_m     real,
  geom                 geometry(Point, 4490) not null,
  attributes           jsonb not null default '{}',
  import_id            uuid references shuitu.imports,
  source_row           bigint,
  valid_from           date,
  valid_to             date,
  recorded_at          timestamptz not null default now(),
  unique (code_scheme, code)
);
create index on shuitu.intakes (county_code);
create index on shuitu.intakes (basin_id);
create index on shuitu.intakes (holder_id);
create index on shuitu.intakes using gist (geom);
create index on shuitu.intakes using gin (name gin_trgm_ops);
create index on shuitu.intakes (code);
create table shuitu.intake_history (like shuitu.intakes, recorded_until timestamptz not null);
alter table shuitu.intake_history add primary key (id, version);

create table shuitu.permit_intakes (
  permit_id   bigint not null references shuitu.permits on delete cascade,
  intake_id   bigint not null references shuitu.intakes on delete cascade,
  valid_from  date not null default '1900-01-01',
  valid_to    date,
  origin      text not null default 'import' check (origin in ('import', 'linkage', 'person')),
  county_code integer not null,                  -- of the intake
  basin_id    smallint,
  import_id   uuid references shuitu.imports,
  recorded_at timestamptz not null default now(),
  primary key (permit_id, intake_id, valid_from)
);
create index on shuitu.permit_intakes (intake_id);
create index on shuitu.permit_intakes (county_code);

-- A superseded row goes to the history with the time until which it was what we knew.
create function shuitu.keep_history() returns trigger language plpgsql as $$
begin
  if new.version <= old.version then new.version := old.version + 1; end if;
  new.recorded_at := now();
  execute format('insert into shuitu.%I select ($1).*, now()', tg_argv[0]) using old;
  return new;
end $$;
create trigger history before update on shuitu.permits for each row
  when (old.* is distinct from new.*) execute function shuitu.keep_history('permit_history');
create trigger history before update on shuitu.intakes for each row
  when (old.* is distinct from new.*) execute function shuitu.keep_history('intake_history');

-- ── imagery and screening ──────────────────────────────────────────────────────────────────────
create table shuitu.scenes (
  id          bigint generated always as identity primary key,
  item_id     text not null unique,              -- STAC item id
  title       text not null,
  sensor      text not null,
  acquired_at timestamptz,
  resolution_m real,
  cloud_pct   real,
  generated   boolean not null default false,
  path        text not null,                     -- the item or raster, below the imagery folder or absolute
  item        jsonb not null,                    -- the STAC item
  geom        geometry(Polygon, 4490) not null,
  added_at    timestamptz not null default now(),
  added_by    integer references shuitu.users
);
create index on shuitu.scenes using gist (geom);

create table shuitu.detection_runs (
  id            bigint generated always as identity primary key,
  scene_ids     bigint[] not null,
  aoi           geometry(MultiPolygon, 4490),
  options       jsonb not null default '{}',
  state         text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  progress      real not null default 0,
  method        text not null default '',
  facts         jsonb not null default '{}',
  report_path   text,
  problem       text,
  actor_id      integer references shuitu.users,
  actor_name    text not null,
  scope_lo      integer not null,
  scope_hi      integer not null,
  scope_basin   smallint,
  created_at    timestamptz not null default now(),
  finished_at   timestamptz
);

create table shuitu.candidates (
  id            bigint generated always as identity primary key,
  run_id        bigint not null references shuitu.detection_runs on delete cascade,
  code          text not null unique,            -- e.g. YG-000123
  kind          text not null check (kind in ('water_body', 'irrigated_land')),
  category      text not null check (category in ('no_intake', 'no_valid_permit', 'permit_too_small', 'new_since_last_date')),
  state         text not null default 'suspected' check (state in ('suspected', 'confirmed', 'rejected')),
  score         real not null check (score between 0 and 1),
  area_m2       double precision not null,
  volume_m3     double precision,
  volume_lo_m3  double precision,
  volume_hi_m3  double precision,
  county_code   integer not null,
  basin_id      smallint,
  acquired_at   timestamptz,
  nearest_intake_id    bigint references shuitu.intakes on delete set null,
  nearest_intake_m     real,
  nearest_permitted_id bigint references shuitu.intakes on delete set null,
  nearest_permitted_m  real,
  evidence      jsonb not null,
  reasons       jsonb not null,
  chip_before   text,
  chip_after    text,
  generated     boolean not null default false,
  version       integer not null default 1,
  decided_by    text,
  decided_at    timestamptz,
  decision_note text,
  geom          geometry(MultiPolygon, 4490) not null,
  recorded_at   timestamptz not null default now()
);
create index on shuitu.candidates using gist (geom);
create index on shuitu.candidates (county_code);
create index on shuitu.candidates (run_id);
create table shuitu.candidate_decisions (
  id           bigint generated always as identity primary key,
  candidate_id bigint not null references shuitu.candidates on delete cascade,
  decision     text not null check (decision in ('confirm', 'reject', 'reopen')),
  note         text not null default '',
  actor_id     integer references shuitu.users,
  actor_name   text not null,
  decided_at   timestamptz not null default now(),
  county_code  integer not null,
  basin_id     smallint
);
create index on shuitu.candidate_decisions (candidate_id);

-- ── changes: what happened, written in the transaction of the fact ─────────────────────────────
create table shuitu.changes (
  id          bigint generated always as identity primary key,
  xid         xid8 not null default pg_current_xact_id(),
  at          timestamptz not null default now(),
  actor_name  text not null,
  layer       text not null,
  action      text not null,                     -- create update delete import decide
  entity_id   bigint,                            -- null: a bulk change of the region
  county_code integer not null,                  -- region the change lies in (a bulk import: one row a county)
  basin_id    smallint,
  box         box2d,                             -- where, lon/lat; null: the whole county
  facts       jsonb not null default '{}'
);
create index on shuitu.changes (xid, id);
create index on shuitu.changes (layer, id);
create function shuitu.wake_listeners() returns trigger language plpgsql as $$
begin
  perform pg_notify('shuitu_changes', '');       -- only a wake-up; the table is the truth
  return null;
end $$;
create trigger wake after insert on shuitu.changes for each statement execute function shuitu.wake_listeners();

-- ── row-level security ─────────────────────────────────────────────────────────────────────────
do $$
declare t text;
begin
  foreach t in array array['holders', 'permits', 'permit_history', 'permit_limits', 'intakes', 'intake_history',
                           'permit_intakes', 'candidates', 'candidate_decisions', 'changes'] loop
    execute format('alter table shuitu.%I enable row level security, force row level security', t);
    execute format($p$create policy by_scope on shuitu.%I
      using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
             or basin_id = (select shuitu.scope_basin()))$p$, t);
  end loop;
end $$;
-- A permit is also visible to the county where one of its intakes lies (the permit's own number
-- names one county, its wells may stand in three).
create policy by_intake on shuitu.permits for select
  using (exists (select 1 from shuitu.permit_intakes pi where pi.permit_id = permits.id));
create policy by_intake on shuitu.permit_limits for select
  using (exists (select 1 from shuitu.permit_intakes pi where pi.permit_id = permit_limits.permit_id));

alter table shuitu.control_indicators enable row level security;
alter table shuitu.control_indicators force row level security;
-- A county also reads the indicators of its prefecture and province, which bind it.
create policy by_scope on shuitu.control_indicators using (
  (region_code >= (select shuitu.scope_lo()) and region_code < (select shuitu.scope_hi()))
  or basin_id = (select shuitu.scope_basin()));
create policy of_parents on shuitu.control_indicators for select using (
  (select shuitu.scope_hi()) > (select shuitu.scope_lo())
  and region_code in ((select shuitu.scope_lo()) / 10000 * 10000, (select shuitu.scope_lo()) / 100 * 100));

do $$
declare t text;
begin
  foreach t in array array['imports', 'detection_runs'] loop
    execute format('alter table shuitu.%I enable row level security, force row level security', t);
    execute format($p$create policy within_scope on shuitu.%I
      using ((scope_lo >= (select shuitu.scope_lo()) and scope_hi <= (select shuitu.scope_hi())
              and scope_hi > scope_lo)
             or scope_basin = (select shuitu.scope_basin()))$p$, t);
  end loop;
end $$;
alter table shuitu.import_rejects enable row level security;
alter table shuitu.import_rejects force row level security;
create policy of_import on shuitu.import_rejects
  using (exists (select 1 from shuitu.imports i where i.id = import_rejects.import_id));
