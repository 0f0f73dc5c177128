select story_id, available_at from score_companies where company_id = :company_id
group by available_at, story_id order by available_at desc, story_id desc
