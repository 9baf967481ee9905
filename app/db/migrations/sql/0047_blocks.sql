-- Points packed by small tiles (level 14 of Web Mercator), county and basin: what tiles read (tiles.blocks). Filled here from
-- the map tables, so that no tile is empty until the worker has come round.
select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true);
create table map.intake_blocks (
  block         bigint not null,                -- key >> 34
  county_code   integer not null,
  basin_id      smallint not null,
  ids           bytea not null,                 -- of each point, in one order: int8, big-endian
  keys          bytea not null,                 -- int8
  classes       bytea not null,                 -- int4
  counties      bytea not null,                 -- int4
  annual_volume_m3 bytea not null,              -- float4; NaN: not known
  code          bytea not null,                 -- UTF-8, four zeros between; null: ff
  name          bytea not null,
  primary key (block, county_code, basin_id)
) with (toast_tuple_target = 8160);
create table map.permit_blocks (
  block         bigint not null,
  county_code   integer not null,
  basin_id      smallint not null,
  ids           bytea not null,
  keys          bytea not null,
  classes       bytea not null,
  counties      bytea not null,
  annual_volume_m3 bytea not null,
  permit_no     bytea not null,
  valid_to      bytea not null,
  primary key (block, county_code, basin_id)
) with (toast_tuple_target = 8160);
do $$
declare l text; c text;
begin
  foreach l in array array['intake', 'permit'] loop
    -- Not compressed: they are read more than written.
    for c in select attname from pg_attribute where attrelid = format('map.%s_blocks', l)::regclass and atttypid = 'bytea'::regtype loop
      execute format('alter table map.%s_blocks alter %I set storage external', l, c);
    end loop;
    execute format('create index %1$s_blocks_county on map.%1$s_blocks (county_code)', l);
    execute format('alter table map.%1$s_blocks enable row level security, force row level security', l);
    execute format($p$create policy by_scope on map.%1$s_blocks
      using ((county_code >= (select shuitu.scope_lo()) and county_code < (select shuitu.scope_hi()))
             or basin_id = (select shuitu.scope_basin()))$p$, l);
    execute format('grant truncate on map.%1$s_blocks to shuitu_service', l);
  end loop;
end $$;
-- Nothing that a change of a point's facts writes is indexed: with room in its page it leaves the indexes alone.
alter table map.intake_points set (fillfactor = 90);
alter table map.permit_points set (fillfactor = 90);
