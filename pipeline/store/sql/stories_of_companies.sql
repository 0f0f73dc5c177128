-- Texts of the last days that named the companies, oldest first: what novelty is measured against.
select m.company_id, story.available_at, story.text
from mentions as m
join stories as story on story.first_article_id = m.article_id
where m.company_id = any(cast(:company_ids as integer[])) and story.available_at >= :since
order by story.available_at
