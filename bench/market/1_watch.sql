-- A made-up market: companies, series, feeds and models. Chance comes from hashes of ids, so the same settings make
-- the same rows: market.days, market.stories, market.companies, market.now (set by bench/market.py).

create function pg_temp.chance(id bigint, salt integer) returns double precision language sql immutable
return (hashint8extended(id, salt) & 1048575) / 1048576.0;
create function pg_temp.pick(words text[], id bigint, salt integer) returns text language sql immutable
return words[1 + (hashint8extended(id, salt) & 1048575) % cardinality(words)];
create function pg_temp.days() returns double precision language sql stable
return current_setting('market.days')::double precision;
create function pg_temp.moment() returns timestamptz language sql stable
return current_setting('market.now')::timestamptz;

insert into companies (name, ticker, sector, aliases, added_at)
select head || tail, upper(left(head, 3)) || chr(65 + (i / 26) % 26) || chr(65 + i % 26), sector, '{}',
       pg_temp.moment() - make_interval(days => pg_temp.days()::integer)
from generate_series(1, current_setting('market.companies')::integer) as i
cross join lateral (
  select (array['Alder', 'Birken', 'Calder', 'Dorn', 'Elm', 'Fenwick', 'Gar', 'Hollow', 'Iver', 'Jasp', 'Kell', 'Lind', 'Mar',
                'Nor', 'Oster', 'Pell', 'Quar', 'Rav', 'Sund', 'Thorn', 'Ulver', 'Vant', 'Wex', 'Yar', 'Zell'])[1 + i % 25],
         (array['bridge Bank', 'ton Energy', 'mere Foods', 'field Motors', 'wick Pharma', 'gate Systems', 'dale Retail',
                'ford Mining', 'stone Insurance', 'brook Air', 'haven Shipping', 'crest Media', 'well Power', 'ley Chips',
                'more Telecom', 'ham Homes', 'worth Capital', 'by Chemicals', 'den Aerospace', 'shaw Textiles', 'vale Water'])
           [1 + (i % 25 * 5 + i / 25) % 21],
         (array['Banks', 'Energy', 'Consumer', 'Industry', 'Health', 'Technology', 'Utilities', 'Materials'])[1 + i % 8]
) as made (head, tail, sector);

insert into series (kind, key, title, company_id, created_at)
select kind, key, title, company_id, pg_temp.moment() - make_interval(days => pg_temp.days()::integer)
from (
  select 'all', 'all', 'Everything', null::integer
  union all
  select 'topic', key, title, null from (values
    ('analyst_update', 'Analyst updates'), ('central_banks', 'Central banks'), ('company_product_news', 'Company and product news'),
    ('corporate_debt', 'Treasuries and corporate debt'), ('currencies', 'Currencies'), ('dividend', 'Dividends'),
    ('earnings', 'Earnings'), ('energy', 'Oil and energy'), ('financials', 'Financial results'),
    ('general_opinion', 'General news and opinion'), ('ipo', 'Stock market listings'), ('legal_regulation', 'Legal and regulation'),
    ('macro', 'Economy'), ('markets', 'Markets'), ('mergers_investments', 'Mergers and investments'),
    ('metals_materials', 'Gold, metals and materials'), ('personnel', 'Personnel changes'), ('politics', 'Politics'),
    ('stock_commentary', 'Stock commentary'), ('stock_movement', 'Stock movements')) as topic (key, title)
  union all select distinct 'sector', sector, sector, null::integer from companies
  union all select 'company', name, name, id from companies
) as watched (kind, key, title, company_id);

insert into feeds (name, url, title, added_at)
select 'outlet-' || i, 'https://outlet-' || i || '.example/feed.xml',
       (array['Meridian Wire', 'Harbour Ledger', 'Quill Markets', 'Northgate Business', 'Ledgerline', 'Dockside Energy',
              'The Exchange', 'Morning Ticker', 'Cornhill Post', 'Capital Observer', 'Trade Winds', 'The Fiscal Times'])[i],
       pg_temp.moment() - make_interval(days => pg_temp.days()::integer)
from generate_series(1, 12) as i;

insert into feed_states (feed_id, status, error_class, error_message, error_count, last_attempt_at, last_ok_at,
                         last_new_item_at, next_due_at, next_due_reason, median_gap_s)
select id, case when id % 6 = 0 then 'backing_off' else 'ok' end, case when id % 6 = 0 then 'ServerError' end,
       case when id % 6 = 0 then '503 Service Unavailable' end, case when id % 6 = 0 then 14 else 0 end,
       pg_temp.moment() - interval '4 min', pg_temp.moment() - case when id % 6 = 0 then interval '2 days' else interval '4 min' end,
       pg_temp.moment() - case when id % 6 = 0 then interval '2 days' else interval '20 min' end,
       pg_temp.moment() + make_interval(mins => id), 'half the usual gap between its articles', 1800
from feeds;

insert into feed_fetches (feed_id, started_at, duration_ms, outcome, http_status, bytes_wire, bytes_body, seen, new, unchanged)
select id, pg_temp.moment() - make_interval(mins => 20 * i), 80 + (pg_temp.chance(i, id) * 400)::integer,
       case when id % 6 = 0 and i < 140 then 'error' when i % 3 = 0 then 'ok' else 'not_modified' end,
       case when id % 6 = 0 and i < 140 then 503 when i % 3 = 0 then 200 else 304 end, 18000, 61000,
       case when i % 3 = 0 and not (id % 6 = 0 and i < 140) then 30 else 0 end,
       case when i % 3 = 0 and not (id % 6 = 0 and i < 140) then 2 else 0 end,
       case when i % 3 = 0 and not (id % 6 = 0 and i < 140) then 28 else 0 end
from feeds, generate_series(1, 72 * least(30, pg_temp.days()::integer)) as i;

insert into model_versions (version, path, created_at, parent_id, base_model, state, metrics, manifest) values
  ('starter', 'starter', pg_temp.moment() - make_interval(days => pg_temp.days()::integer), null, 'minilm-l6', 'promoted',
   '{"accuracy": 0.861, "macro_f1": 0.842, "negative_recall": 0.829, "ece": 0.027,
     "confusion": {"labels": ["negative", "neutral", "positive"], "rows": [[314, 52, 13], [41, 902, 66], [12, 70, 448]]}}', '{}'),
  ('retrained-1', 'models/retrained-1', pg_temp.moment() - interval '11 days', 1, 'minilm-l6', 'promoted',
   '{"accuracy": 0.884, "macro_f1": 0.866, "negative_recall": 0.868, "ece": 0.019,
     "confusion": {"labels": ["negative", "neutral", "positive"], "rows": [[329, 40, 10], [35, 922, 52], [9, 61, 460]]}}', '{}'),
  ('retrained-2', 'models/retrained-2', pg_temp.moment() - interval '3 days', 2, 'minilm-l6', 'rejected',
   '{"accuracy": 0.879, "macro_f1": 0.853, "negative_recall": 0.821, "ece": 0.031}', '{}');
insert into model_alias_events (model_version_id, set_at, set_by, reason) values
  (1, pg_temp.moment() - make_interval(days => pg_temp.days()::integer), 'install', 'the model that ships'),
  (2, pg_temp.moment() - interval '10 days', 'retrain', 'better on every set, negative recall +3.9 points');
