-- Each item says of which frozen population it is: the county that it lies in sees it, which does not see the province's sample.
select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true);
alter table shuitu.review_items add column sample_id bigint references shuitu.review_samples;
update shuitu.review_items i set sample_id = s.id
  from shuitu.review_samples s cross join unnest(s.population_ids) p(id) where i.id = p.id;
create index on shuitu.review_items (sample_id) where sample_id is not null;
alter table shuitu.review_samples drop column population_ids;
