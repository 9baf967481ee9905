-- Overview cells of past days: counted once for the whole nation when somebody asks, kept for a while (app/maps/past_days.py).
create table map.past_days (
  id        integer generated always as identity primary key,
  layer     text not null,
  on_date   date not null,
  known     timestamptz,                         -- as it was known at that moment; null: as it was known when it was counted
  asked_by  text not null,
  asked_at  timestamptz not null default now(),
  made_at   timestamptz,                         -- null: not counted yet
  points    integer,
  problem   text,
  unique nulls not distinct (layer, on_date, known)
);
do $$
declare l text; t text;
begin
  foreach l in array array['intake', 'permit'] loop
    foreach t in array array['cells', 'facets'] loop
      execute format('create table map.%1$s_past_%2$s (day integer not null references map.past_days on delete cascade, like map.%1$s_%2$s including storage)', l, t);
      execute format('alter table map.%1$s_past_%2$s add primary key (day, key, county_code, basin_id)', l, t);
      execute format('create index %1$s_past_%2$s_county on map.%1$s_past_%2$s (day, county_code)', l, t);
      execute format('alter table map.%1$s_past_%2$s enable row level security, force row level security', l, t);
      execute format($p$create policy by_scope on map.%1$s_past_%2$s
        using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
               or basin_id = (select shuitu.scope_basin()))$p$, l, t);
    end loop;
  end loop;
end $$;
