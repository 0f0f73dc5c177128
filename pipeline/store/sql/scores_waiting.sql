-- The story text with the mentions of its first article, and the score of an identical text if there is one.
select
  s.id as story_id,
  s.text,
  s.text_hash,
  s.language,
  s.available_at,
  coalesce(
    (select jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name, 'spans', m.spans) order by c.id)
     from mentions m join companies c on c.id = m.company_id
     where m.article_id = s.first_article_id),
    '[]'
  ) as mentions
from unnest(cast(:story_ids as bigint[])) with ordinality as wanted (story_id, position)
join stories s on s.id = wanted.story_id
order by wanted.position
