-- A first load of many rows goes into tables without secondary indexes, and without foreign keys among them, which are made
-- once, when all rows are in: keeping them row by row takes twice as long. Only while the tables are empty and nobody works
-- with them, and in the one transaction of the import: whoever is killed leaves them as they were. The owner's, because only
-- the owner may.
create table shuitu.bared (number integer generated always as identity primary key, statement text not null);
revoke all on shuitu.bared from shuitu_service;

-- True if the tables are bare now; false if one holds rows, or others work with it.
create function shuitu.bare(facts text[]) returns boolean language plpgsql security definer
set search_path = pg_catalog, public as $$
declare t text; one record; filled boolean;
begin
  if not facts <@ array['holders', 'intakes', 'permits', 'permit_points'] then
    raise exception '% 不能这样装载 (cannot be loaded like this)', facts;
  end if;
  foreach t in array facts loop
    execute format('lock table shuitu.%I in access exclusive mode nowait', t);
    -- The owner is under the policies too, and would see the caller's rows only.
    execute format('alter table shuitu.%I no force row level security', t);
    execute format('select exists (select from shuitu.%I)', t) into filled;
    if filled then
      -- An error takes back what was done, within this block.
      raise exception using errcode = 'SH001';
    end if;
    -- Keys among them only: to drop another would keep its table from everybody else.
    for one in select quote_ident(conname) as name, pg_get_constraintdef(oid) as made from pg_constraint
               where conrelid = format('shuitu.%I', t)::regclass and contype = 'f'
                 and confrelid = any(select format('shuitu.%I', f)::regclass from unnest(facts) f) loop
      insert into shuitu.bared (statement) values (format('alter table shuitu.%I add constraint %s %s', t, one.name, one.made));
      execute format('alter table shuitu.%I drop constraint %s', t, one.name);
    end loop;
    -- Unique ones stay: they tell the row that is there already.
    for one in select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made from pg_index
               where indrelid = format('shuitu.%I', t)::regclass and not indisunique loop
      insert into shuitu.bared (statement) values (one.made);
      execute 'drop index ' || one.name;
    end loop;
    insert into shuitu.bared (statement) values (format('analyze shuitu.%I', t)), (format('alter table shuitu.%I force row level security', t));
  end loop;
  return true;
exception
  when sqlstate 'SH001' or lock_not_available then return false;
end $$;

-- Everything that `bare` took away, made again.
create function shuitu.dress() returns void language plpgsql security definer set search_path = pg_catalog, public as $$
declare one record;
begin
  for one in select statement from shuitu.bared order by statement like 'alter table % add constraint %' desc, number loop
    execute one.statement;
  end loop;
  delete from shuitu.bared;
end $$;
revoke all on function shuitu.bare(text[]), shuitu.dress() from public;
grant execute on function shuitu.bare(text[]), shuitu.dress() to shuitu_service;
