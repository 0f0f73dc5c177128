-- Takes back that this person asked others, unless somebody asked or queued it anew since. The place is again what it was;
-- who labelled or skipped it meanwhile is not asked again.
with own as (
  select article_id, undisputed as before, done_at, array_remove(skipped_by, :who) as skipped_by
  from label_queue
  where article_id = :article_id and reason = 'disputed' and undisputed ->> 'who' = :who
  for update
), gone as (
  delete from label_queue as place using own
  where place.article_id = own.article_id and own.before ->> 'reason' is null and own.done_at is null
), restored as (
  update label_queue as place set
    reason = own.before ->> 'reason', priority = (own.before ->> 'priority')::double precision,
    done_at = coalesce(own.done_at, (own.before ->> 'done_at')::timestamptz),
    skipped_by = array(select jsonb_array_elements_text(own.before -> 'skipped_by') union select unnest(own.skipped_by)),
    undisputed = null
  from own
  where place.article_id = own.article_id and own.before ->> 'reason' is not null
)
select exists (select from own)
