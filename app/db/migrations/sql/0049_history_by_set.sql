-- Who changes many rows at once may write their history at once too, in the same statement: it says so for its transaction
-- by app.history = 'by set', counts the version up and dates it itself (app/registry/links.py). Everything else goes by the
-- trigger, as before. Whoever adds a column to permits or intakes calls this afterwards, as before.
create or replace procedure shuitu.track_history(facts text) language plpgsql as $$
declare
  history text := rtrim(facts, 's') || '_history';
  one record; names text; former text;
begin
  for one in select a.attname, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a
             where a.attrelid = format('shuitu.%I', facts)::regclass and a.attnum > 0 and not a.attisdropped
               and not exists (select from pg_attribute h where h.attrelid = format('shuitu.%I', history)::regclass
                               and h.attname = a.attname and not h.attisdropped) order by a.attnum loop
    execute format('alter table shuitu.%I add column %I %s', history, one.attname, one.type);
  end loop;
  select string_agg(quote_ident(attname), ', ' order by attnum), string_agg('old.' || quote_ident(attname), ', ' order by attnum)
    into names, former
    from pg_attribute where attrelid = format('shuitu.%I', facts)::regclass and attnum > 0 and not attisdropped;
  execute format($make$
    create or replace function shuitu.%I() returns trigger language plpgsql as $body$
    begin
      if new.version <= old.version then new.version := old.version + 1; end if;
      new.recorded_at := now();
      insert into shuitu.%I (%s, recorded_until) values (%s, now());
      return new;
    end $body$ $make$, 'keep_' || history, history, names, former);
  execute format('drop trigger if exists history on shuitu.%I', facts);
  execute format('create trigger history before update on shuitu.%I for each row '
                 'when (old.* is distinct from new.* and coalesce(current_setting(''app.history'', true), '''') <> ''by set'') '
                 'execute function shuitu.%I()', facts, 'keep_' || history);
end $$;
call shuitu.track_history('permits');
call shuitu.track_history('intakes');
