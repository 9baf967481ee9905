-- Photos and scans that belong to an intake or a permit. The bytes are files in the data folder, named by their
-- digest; a row says what one is, whose it is and who brought it. Nothing is deleted: a document is withdrawn, with
-- a reason, and stays even where its entry leaves the register.
create table shuitu.documents (
  id             bigint generated always as identity primary key,
  layer          text not null check (layer in ('intakes', 'permits')),
  entity_id      bigint not null,
  digest         text not null check (digest ~ '^[0-9a-f]{64}$'),   -- SHA-256
  media_type     text not null check (media_type in ('image/jpeg', 'image/png', 'image/webp', 'image/tiff', 'application/pdf')),
  bytes          bigint not null check (bytes > 0),
  filename       text not null,                  -- as it was called
  title          text not null default '',
  width          integer,
  height         integer,
  taken_at       timestamp,                      -- by the camera's own clock, which knows no time zone
  geom           geometry(Point, 4490),          -- where the camera says it stood
  distance_m     real,                           -- from there to the position in the register, when it was added
  county_code    integer not null,               -- of the entry
  basin_id       smallint,
  actor_id       integer references shuitu.users,
  actor_name     text not null,
  added_at       timestamptz not null default now(),
  withdrawn_at   timestamptz,
  withdrawn_by   text,
  withdrawn_why  text,
  check ((withdrawn_at is null) = (withdrawn_by is null) and (withdrawn_at is null) = (withdrawn_why is null))
);
create unique index documents_once on shuitu.documents (layer, entity_id, digest) where withdrawn_at is null;
create index on shuitu.documents (county_code);
alter table shuitu.documents enable row level security, force row level security;
create policy by_scope on shuitu.documents
  using ((county_code >= shuitu.scope_lo() and county_code < shuitu.scope_hi()) or basin_id = shuitu.scope_basin());
-- Who may read a permit because one of its intakes lies in the jurisdiction may read its documents.
create policy of_permit on shuitu.documents for select
  using (layer = 'permits' and exists (select 1 from shuitu.permits p where p.id = documents.entity_id));

-- Documents lie where their entry does.
create function shuitu.move_documents() returns trigger language plpgsql as $$
begin
  update shuitu.documents set county_code = new.county_code, basin_id = new.basin_id
  where layer = tg_argv[0] and entity_id = new.id;
  return null;
end $$;
create trigger documents after update of county_code, basin_id on shuitu.intakes for each row
  when (old.county_code <> new.county_code or old.basin_id is distinct from new.basin_id)
  execute function shuitu.move_documents('intakes');
create trigger documents after update of county_code, basin_id on shuitu.permits for each row
  when (old.county_code <> new.county_code or old.basin_id is distinct from new.basin_id)
  execute function shuitu.move_documents('permits');
