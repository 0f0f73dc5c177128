-- A story that is given back as a copy was looked for in all feedback, while others waited to group: 1 ms each with 8,000 rows.

create index feedback_story on feedback (story_id) where story_id is not null;
