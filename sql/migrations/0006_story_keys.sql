-- The keys under which copies find a story: 17 rows for each new one, so what each row costs counts. Measured per article:
-- 248 us with a foreign key, a three-column primary key and an index on the time; 70 to 90 us in this form. They belong to
-- the story that they lead to, and a key whose story is gone leads nowhere.
create table story_keys (
  hash      bigint not null,
  band      smallint not null,
  story_id  bigint not null,
  seen_at   timestamptz not null
);
comment on table story_keys is 'MinHash band keys and folded titles of the stories of the last days, for finding copies. No foreign key: 17 checks per story.';
comment on column story_keys.hash is 'The key.';
comment on column story_keys.band is 'Number of the band, 0 to 15; 16 holds the folded title.';
comment on column story_keys.story_id is 'The story.';
comment on column story_keys.seen_at is 'When its first article became available, UTC; older than 72 h is pruned.';
insert into story_keys (hash, band, story_id, seen_at)
select band.hash, band.band, article.story_id, band.seen_at
from article_bands as band
join articles as article on article.id = band.article_id
where article.story_id is not null
order by band.seen_at;
create index story_keys_hash on story_keys (hash, story_id);
create index story_keys_seen on story_keys using brin (seen_at) with (autosummarize = on);
drop table article_bands;

-- An alias' article has its feed.
alter table article_aliases drop constraint article_aliases_feed_id_fkey;
