-- Pages of the desk in the order of probability, where few lines of millions are asked for: those that persons decided, and
-- those with a conflict. (By outcome there is link_outcomes_walk.)
create index link_outcomes_persons on shuitu.link_outcomes (outcome, coalesce(probability, 0) desc, id) where decided_by = 'person';
create index link_outcomes_conflicts on shuitu.link_outcomes (outcome, coalesce(probability, 0) desc, id) where conflicts <> '{}';
-- A former number is found by a part of it, as a number is.
create index permits_former_numbers on shuitu.permits using gin (previous_number gin_trgm_ops) where previous_number is not null;
-- Whose entries and permits a change may concern is looked up by the holder's name, with or without a credit code.
create index holders_name on shuitu.holders (name);
-- What issuers have in review, by permit: told by the index alone, for the items themselves are wide.
create index review_items_permits on shuitu.review_items (permit_id) include (state, county_code, basin_id, first_code)
  where latest and permit_id is not null;
