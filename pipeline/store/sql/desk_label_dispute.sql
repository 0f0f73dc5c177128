-- Asks for other opinions: the article goes first in everybody else's queue. What its place was before stays on it, so that
-- who asked can take it back; asking twice keeps what was before the first time. Who asks passes it over, and from then on
-- it is counted how long it waits for others.
insert into label_queue as place (article_id, reason, priority, queued_at, skipped_by, undisputed)
select article.id, 'disputed', 4, :as_of, array[:who], jsonb_build_object('who', cast(:who as text))
from articles as article
where article.id = :article_id
  and not exists (select from frozen_articles as frozen where frozen.article_id = article.id)
on conflict (article_id) do update set
  reason = 'disputed', priority = 4, queued_at = excluded.queued_at, done_at = null, skipped_by = array[:who],
  undisputed = case
    when place.reason = 'disputed' and place.undisputed ->> 'who' = :who and place.done_at is null then place.undisputed
    else jsonb_build_object('who', cast(:who as text), 'reason', place.reason, 'priority', place.priority,
                            'done_at', place.done_at, 'skipped_by', to_jsonb(place.skipped_by))
  end
