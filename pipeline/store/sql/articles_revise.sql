-- The newest state into articles, and one more row into the history.
with revised as (
  update articles as a set
    title = new.title, summary = new.summary,
    body = coalesce(new.body, case when 'full_text' = any(a.flags) then a.body end), content_hash = new.content_hash,
    revision = a.revision + 1, corrected = a.corrected or new.is_correction
  from unnest(cast(:article_id as bigint[]), cast(:title as text[]), cast(:summary as text[]), cast(:body as text[]),
    cast(:content_hash as bytea[]), cast(:is_correction as boolean[]))
    as new (article_id, title, summary, body, content_hash, is_correction)
  where a.id = new.article_id and a.content_hash <> new.content_hash
  returning a.id, a.revision, a.title, a.summary, a.body, a.content_hash, new.is_correction
)
insert into article_revisions (article_id, revision, seen_at, title, summary, body, content_hash, is_correction)
select id, revision, :seen_at, title, summary, body, content_hash, is_correction from revised
