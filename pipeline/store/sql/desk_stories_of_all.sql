select id as story_id, available_at from stories
