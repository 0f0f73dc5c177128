-- Takes back that this person passed an article over. A place that was closed meanwhile since nobody else answered is open
-- again, and waits as long as one asked for now; one that is labelled or kept for evaluation stays as it is.
update label_queue as place set
  skipped_by = array_remove(place.skipped_by, :who),
  queued_at = case when known.settled then place.queued_at else :as_of end,
  done_at = case when known.settled then place.done_at end
from (
  select article.id,
         exists (select from frozen_articles as frozen where frozen.article_id = article.id)
         or exists (select from labels as label where label.article_id = article.id and label.target = 'story'
                    and label.retracted_at is null) as settled
  from articles as article
  where article.id = :article_id
) as known
where place.article_id = known.id and :who = any(place.skipped_by)
