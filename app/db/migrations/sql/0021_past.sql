-- Past dates: since when each version holds (valid time), beside when it was recorded (transaction time).

alter table shuitu.permits add column effective_on date;  -- the day from which this version holds; null: see map.permit_current
alter table shuitu.permits add column ended_on date;      -- the day of 注销, 撤销 or 吊销; null: still open, or not known

-- The trigger names the columns it copies, so that facts may get columns without the history's order minding. Whoever
-- adds a column to permits or intakes calls this afterwards.
create or replace function shuitu.keep_history() returns trigger language plpgsql as $$
begin
  if new.version <= old.version then new.version := old.version + 1; end if;
  new.recorded_at := now();
  execute format('insert into shuitu.%I (%s, recorded_until) select %s, now()', tg_argv[0], tg_argv[1], tg_argv[2]) using old;
  return new;
end $$;
create procedure shuitu.track_history(facts text) language plpgsql as $$
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
  select string_agg(quote_ident(attname), ', ' order by attnum), string_agg('($1).' || quote_ident(attname), ', ' order by attnum)
    into names, former
    from pg_attribute where attrelid = format('shuitu.%I', facts)::regclass and attnum > 0 and not attisdropped;
  execute format('drop trigger if exists history on shuitu.%I', facts);
  execute format('create trigger history before update on shuitu.%I for each row when (old.* is distinct from new.*) '
                 'execute function shuitu.keep_history(%L, %L, %L)', facts, history, names, former);
end $$;
call shuitu.track_history('permits');
call shuitu.track_history('intakes');

-- Only the history is indexed for the past: what is read of the present stays as it is.
create index intake_history_geom on shuitu.intake_history using gist (geom);
create index intake_history_county on shuitu.intake_history (county_code);
create index permit_history_county on shuitu.permit_history (county_code);
create index permit_history_number on shuitu.permit_history (permit_no);  -- a number that a renewal changed still finds its permit
create index permits_previous_number on shuitu.permits (previous_number) where previous_number is not null;
