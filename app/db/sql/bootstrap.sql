-- What only an administrator of the database can do, once. `shuitu db migrate` runs it where its
-- login may; otherwise `shuitu doctor` prints it. Safe to run again.
do $$
declare r text;
begin
  foreach r in array array['shuitu_owner', 'shuitu_service', 'shuitu_map'] loop
    if not exists (select 1 from pg_roles where rolname = r) then
      -- Three roles, none of which can bypass row-level security: the owner migrates,
      -- the service works, the map reader reads schema map and nothing else.
      execute format('create role %I login nosuperuser nobypassrls nocreatedb nocreaterole noinherit', r);
    end if;
  end loop;
  execute format('grant create, connect, temporary on database %I to shuitu_owner', current_database());
  execute format('grant connect, temporary on database %I to shuitu_service', current_database());
  execute format('grant connect on database %I to shuitu_map', current_database());
end $$;

create extension if not exists postgis;
create extension if not exists pg_trgm;

-- Under row-level security only leakproof operators may run before the policy; without this a
-- bounding-box query cannot use its index (0.3 ms becomes seconds on 5.9 M rows). The functions
-- compare two boxes and raise no error that tells a value, which is what leakproof means.
alter function geometry_overlaps(geometry, geometry) leakproof;
alter function geometry_within(geometry, geometry) leakproof;
alter function geometry_contains(geometry, geometry) leakproof;

-- The same for search by a part of a name: without it every name of the register is read, policy first, and its index of
-- trigrams is not. LIKE and ILIKE raise no error but at a pattern that ends in the escape character: searches escape it, and
-- filters refuse it (layers/cql2/sql.py).
alter function textlike(text, text) leakproof;
alter function texticlike(text, text) leakproof;
