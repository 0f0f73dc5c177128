update score_queue q
set attempts = q.attempts + 1
from (select id from score_queue where story_id = any(:ids) for update skip locked) as held
where q.id = held.id
