-- How many there are of what the desks count: kept beside the rows, for a nation's millions are not counted while somebody
-- waits. Each statement that changes rows appends what it changed, in its transaction and without a lock that another
-- could wait for; the worker adds up what lies there (shuitu.fold_tallies). A sum over the rows of a tally is exact at any time.
create table shuitu.intake_tally (               -- entries of the register that are off-stream and not ended
  county_code integer not null,
  basin_id    smallint,
  n           bigint not null,
  folded      boolean not null default false
);
create table shuitu.outcome_tally (              -- lines of the linkage
  county_code integer not null,
  basin_id    smallint,
  outcome     text not null,
  decided_by  text,
  of_permit   boolean not null,
  n           bigint not null,
  folded      boolean not null default false
);
create table shuitu.review_tally (               -- outcomes in review
  county_code integer not null,
  basin_id    smallint,
  first_code  integer not null,
  batch_id    bigint not null,
  state       text not null,
  latest      boolean not null,
  of_intake   boolean not null,
  sampled     boolean not null,
  n           bigint not null,
  folded      boolean not null default false
);

do $$
declare t text;
begin
  foreach t in array array['intake_tally', 'outcome_tally', 'review_tally'] loop
    execute format('create index on shuitu.%I (county_code)', t);
    execute format('create index on shuitu.%I (county_code) where not folded', t);
    execute format('alter table shuitu.%I enable row level security, force row level security', t);
    execute format($p$create policy by_scope on shuitu.%I
      using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
             or basin_id = (select shuitu.scope_basin()))$p$, t);
  end loop;
end $$;
-- As the items: the issuer of a permit sees what it has to review elsewhere.
create policy by_first on shuitu.review_tally
  using (first_code >= (select shuitu.scope_lo()) and first_code < (select shuitu.scope_hi()));

-- ── what is counted ─────────────────────────────────────────────────────────────────────────────
-- An update of the register seldom changes whether and where an entry counts: only then its trigger is called.
create function shuitu.tally_intakes() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into shuitu.intake_tally (county_code, basin_id, n)
    select county_code, basin_id, count(*) from fresh where off_stream and status <> 'ended' group by 1, 2;
  elsif tg_op = 'DELETE' then
    insert into shuitu.intake_tally (county_code, basin_id, n)
    select county_code, basin_id, -count(*) from gone where off_stream and status <> 'ended' group by 1, 2;
  end if;
  return null;
end $$;
create function shuitu.tally_intake() returns trigger language plpgsql as $$
begin
  insert into shuitu.intake_tally (county_code, basin_id, n)
  select * from (values (old.county_code, old.basin_id, case when old.off_stream and old.status <> 'ended' then -1 else 0 end),
                        (new.county_code, new.basin_id, case when new.off_stream and new.status <> 'ended' then 1 else 0 end)) v(c, b, n)
  where n <> 0;
  return null;
end $$;
create trigger tally_insert after insert on shuitu.intakes referencing new table as fresh
  for each statement execute function shuitu.tally_intakes();
create trigger tally_delete after delete on shuitu.intakes referencing old table as gone
  for each statement execute function shuitu.tally_intakes();
create trigger tally_update after update of county_code, basin_id, off_stream, status on shuitu.intakes for each row
  when ((old.county_code, old.basin_id, old.off_stream, old.status = 'ended') is distinct from
        (new.county_code, new.basin_id, new.off_stream, new.status = 'ended'))
  execute function shuitu.tally_intake();

create function shuitu.tally_outcomes() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into shuitu.outcome_tally (county_code, basin_id, outcome, decided_by, of_permit, n)
    select county_code, basin_id, outcome, decided_by, intake_id is null, count(*) from fresh group by 1, 2, 3, 4, 5;
  elsif tg_op = 'DELETE' then
    insert into shuitu.outcome_tally (county_code, basin_id, outcome, decided_by, of_permit, n)
    select county_code, basin_id, outcome, decided_by, intake_id is null, -count(*) from gone group by 1, 2, 3, 4, 5;
  else
    insert into shuitu.outcome_tally (county_code, basin_id, outcome, decided_by, of_permit, n)
    select county_code, basin_id, outcome, decided_by, of_permit, sum(n) from (
      select county_code, basin_id, outcome, decided_by, intake_id is null as of_permit, 1 as n from fresh
      union all select county_code, basin_id, outcome, decided_by, intake_id is null, -1 from gone) d
    group by 1, 2, 3, 4, 5 having sum(n) <> 0;
  end if;
  return null;
end $$;
create function shuitu.tally_reviews() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into shuitu.review_tally (county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled, n)
    select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null, sample_id is not null, count(*)
    from fresh group by 1, 2, 3, 4, 5, 6, 7, 8;
  elsif tg_op = 'DELETE' then
    insert into shuitu.review_tally (county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled, n)
    select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null, sample_id is not null, -count(*)
    from gone group by 1, 2, 3, 4, 5, 6, 7, 8;
  else
    insert into shuitu.review_tally (county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled, n)
    select county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled, sum(n) from (
      select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null as of_intake, sample_id is not null as sampled, 1 as n from fresh
      union all
      select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null, sample_id is not null, -1 from gone) d
    group by 1, 2, 3, 4, 5, 6, 7, 8 having sum(n) <> 0;
  end if;
  return null;
end $$;
do $$
declare of_ record;
begin
  for of_ in select * from (values ('link_outcomes', 'tally_outcomes'), ('review_items', 'tally_reviews')) v(facts, called) loop
    execute format('create trigger tally_insert after insert on shuitu.%I referencing new table as fresh
                    for each statement execute function shuitu.%I()', of_.facts, of_.called);
    execute format('create trigger tally_update after update on shuitu.%I referencing old table as gone new table as fresh
                    for each statement execute function shuitu.%I()', of_.facts, of_.called);
    execute format('create trigger tally_delete after delete on shuitu.%I referencing old table as gone
                    for each statement execute function shuitu.%I()', of_.facts, of_.called);
  end loop;
end $$;

-- ── what was there before ───────────────────────────────────────────────────────────────────────
select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true);
insert into shuitu.intake_tally (county_code, basin_id, n, folded)
select county_code, basin_id, count(*), true from shuitu.intakes where off_stream and status <> 'ended' group by 1, 2;
insert into shuitu.outcome_tally (county_code, basin_id, outcome, decided_by, of_permit, n, folded)
select county_code, basin_id, outcome, decided_by, intake_id is null, count(*), true from shuitu.link_outcomes group by 1, 2, 3, 4, 5;
insert into shuitu.review_tally (county_code, basin_id, first_code, batch_id, state, latest, of_intake, sampled, n, folded)
select county_code, basin_id, first_code, batch_id, state, latest, intake_id is not null, sample_id is not null, count(*), true
from shuitu.review_items group by 1, 2, 3, 4, 5, 6, 7, 8;

-- Adds up the counties in which something was appended; returns how many rows it took up. Two at once take turns.
create function shuitu.fold_tallies() returns bigint language plpgsql as $$
declare taken bigint; total bigint := 0; keys text; t record;
begin
  if not pg_try_advisory_xact_lock(7308918) then return 0; end if;
  for t in select * from (values ('intake_tally'), ('outcome_tally'), ('review_tally')) v(name) loop
    select string_agg(quote_ident(attname), ', ' order by attnum) into keys from pg_attribute
    where attrelid = format('shuitu.%I', t.name)::regclass and attnum > 0 and not attisdropped and attname not in ('n', 'folded');
    execute format('with gone as (delete from shuitu.%1$I where county_code in (select county_code from shuitu.%1$I where not folded) returning *),
      put as (insert into shuitu.%1$I (%2$s, n, folded) select %2$s, sum(n), true from gone group by %2$s having sum(n) <> 0)
      select count(*) from gone', t.name, keys) into taken;
    total := total + taken;
  end loop;
  return total;
end $$;
