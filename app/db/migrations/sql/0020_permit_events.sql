-- What a permit itself lists, and what happened to it. (Map table map.permit_points is another thing: permits as points.)

-- 证照取水口: the intakes as the electronic permit prints them. Which intake of the register each one is, is for the
-- linkage to say. `valid_to`: the day from which the permit no longer lists it, half open as everywhere.
create table shuitu.permit_points (
  id               bigint generated always as identity primary key,
  permit_id        bigint not null references shuitu.permits on delete cascade,
  seq              smallint not null check (seq > 0),
  code             text,                         -- as printed on the permit
  name             text not null default '',
  place            text not null default '',
  geom             geometry(Point, 4490),
  position_error_m real check (position_error_m >= 0),
  source_type      text not null default 'unknown'
                   check (source_type in ('surface_water', 'groundwater', 'unconventional_water', 'unknown')),
  water_body       text not null default '',
  purpose          text not null default 'other',
  annual_m3        double precision check (annual_m3 >= 0),
  county_code      integer not null,             -- where the point lies: not always the permit's
  basin_id         smallint,
  attributes       jsonb not null default '{}',
  valid_from       date not null default '1900-01-01',
  valid_to         date,
  import_id        uuid references shuitu.imports,
  source_row       bigint,
  recorded_at      timestamptz not null default now(),
  unique (permit_id, seq),
  check (valid_to is null or valid_to >= valid_from)
);
create index on shuitu.permit_points (county_code);
create index on shuitu.permit_points (basin_id);
create index on shuitu.permit_points using gist (geom);
create index on shuitu.permit_points (code) where code is not null;

-- 发放 延续 变更 转让 到期 注销 撤销 吊销 更正: one row an event, naming the version it made.
create table shuitu.permit_events (
  id           bigint generated always as identity primary key,
  permit_id    bigint not null references shuitu.permits on delete cascade,
  version      integer not null,
  event        text not null check (event in ('issue', 'renew', 'vary', 'transfer', 'expire', 'cancel', 'annul', 'revoke', 'correct')),
  effective_on date,                             -- null: not known (registers often say only that there is a permit)
  document_no  text not null default '',
  ground       text,                             -- of 注销, by the clauses of 行政许可法 70 (app/registry/lifecycle.py)
  reason       text not null default '',
  actor_id     integer references shuitu.users,
  actor_name   text not null,
  import_id    uuid references shuitu.imports,
  county_code  integer not null,
  basin_id     smallint,
  facts        jsonb not null default '{}',      -- warnings given, intakes added and dropped
  recorded_at  timestamptz not null default now(),
  unique (permit_id, version)
);
create index on shuitu.permit_events (county_code);
create index on shuitu.permit_events (basin_id);

do $$
declare t text;
begin
  foreach t in array array['permit_points', 'permit_events'] loop
    execute format('alter table shuitu.%I enable row level security, force row level security', t);
    execute format($p$create policy by_scope on shuitu.%I
      using ((county_code >= shuitu.scope_lo() and county_code < shuitu.scope_hi()) or basin_id = shuitu.scope_basin())$p$, t);
    -- Visible, too, where one of the permit's intakes lies, as the permit is.
    execute format($p$create policy by_intake on shuitu.%1$I for select
      using (exists (select 1 from shuitu.permit_intakes pi where pi.permit_id = %1$I.permit_id))$p$, t);
  end loop;
end $$;
create policy by_intake on shuitu.permit_history for select
  using (exists (select 1 from shuitu.permit_intakes pi where pi.permit_id = permit_history.id));

-- A link that was ended may be made again, and when it was ended is known too: a link that never held is withdrawn by
-- valid_to = valid_from, so that it is still there for whoever asks what was known before.
alter table shuitu.permit_intakes drop constraint permit_intakes_pkey;
alter table shuitu.permit_intakes add column id bigint generated always as identity primary key;
alter table shuitu.permit_intakes add column ended_at timestamptz;
alter table shuitu.permit_intakes add constraint permit_intakes_order check (valid_to is null or valid_to >= valid_from);
create unique index permit_intakes_in_force on shuitu.permit_intakes (permit_id, intake_id) where valid_to is null;
create index permit_intakes_ended on shuitu.permit_intakes (permit_id) where valid_to is not null;
create function shuitu.keep_ending() returns trigger language plpgsql as $$
begin
  new.ended_at := case when new.valid_to is null then null when old.valid_to is null then now() else old.ended_at end;
  return new;
end $$;
create trigger ending before update of valid_to on shuitu.permit_intakes for each row execute function shuitu.keep_ending();

-- What was recorded before events were.
select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true);
insert into shuitu.permit_events (permit_id, version, event, effective_on, actor_name, import_id, county_code, basin_id, recorded_at)
select p.id, p.version, p.event, case when p.event in ('issue', 'renew') then p.valid_from end,
       coalesce(i.actor_name, 'system:migration'), p.import_id, p.county_code, p.basin_id, p.recorded_at
from (select id, version, event, valid_from, import_id, county_code, basin_id, recorded_at from shuitu.permits
      union all
      select id, version, event, valid_from, import_id, county_code, basin_id, recorded_at from shuitu.permit_history h
      where exists (select from shuitu.permits p where p.id = h.id)) p
left join shuitu.imports i on i.id = p.import_id
order by p.id, p.version;
