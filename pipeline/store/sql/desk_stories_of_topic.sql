select story_id, available_at from score_topics where topic = :topic
group by available_at, story_id order by available_at desc, story_id desc
