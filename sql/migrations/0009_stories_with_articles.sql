-- Articles are stored and grouped in one transaction. Each is stored with the id of the story that it will begin; those that
-- turn out to be copies are led to their story before the transaction ends. Storing them first and updating all of them
-- afterwards wrote every row and its index entries twice.
alter table articles alter constraint articles_story_id_fkey deferrable initially deferred;

-- An alias whose article is gone leads nowhere: that spares three or four checks per article, and an index that only they used.
alter table article_aliases drop constraint article_aliases_article_id_fkey;
drop index article_aliases_article;

-- All stories of a statement enter the queue at once.
create function enqueue_stories() returns trigger language plpgsql as $$
begin
  insert into score_queue (story_id, available_at) select id, available_at from added order by id on conflict do nothing;
  return null;
end $$;
comment on function enqueue_stories() is 'Puts each new story into score_queue in the transaction that stores it: none can be forgotten.';
drop trigger stories_enqueue on stories;
drop function enqueue_story();
create trigger stories_enqueue after insert on stories referencing new table as added
  for each statement execute function enqueue_stories();

-- Keys are made in another way now (12 bands of 3 rows, the folded title in band 12), so those there lead nowhere. Grouping
-- makes the keys of the last 72 h anew from the stories where there are none: they need not outlive a crash of the server.
truncate story_keys;
alter table story_keys set unlogged;
comment on table story_keys is 'MinHash band keys and folded titles of the stories of the last days, for finding copies. Unlogged: after a crash of the server they are made anew. No foreign key: 13 checks per story.';
comment on column story_keys.band is 'Number of the band, 0 to 11; 12 holds the folded title.';

-- The text begins with the title: the vector was made of it twice. New entries of its index gather in a list that ingest
-- merges when its transactions are over (stories.merge_search); until the list is full, no transaction has to.
alter table stories drop column search;
alter table stories add column search tsvector generated always as (to_tsvector('english', left(text, 20000))) stored;
comment on column stories.search is 'Full-text vector of the text, which begins with the title (English).';
create index stories_search on stories using gin (search) with (gin_pending_list_limit = 16384);
