-- Stories that messages about to be sent will show, and whose words were not looked for yet under this model; of a sector
-- those of its worst-hit company, whose verdict is the sector's.
select distinct shown.story_id, asked.company_id, s.text,
  (select m.spans from mentions m
   where m.article_id = s.first_article_id and m.company_id = asked.company_id) as spans
from notifications n
join alerts a on a.id = n.alert_id
join series on series.id = a.series_id
cross join lateral (
  select cast(story ->> 'story_id' as bigint) as story_id
  from jsonb_array_elements(
    case jsonb_typeof(n.payload -> 'stories') when 'array' then n.payload -> 'stories' else '[]' end
  ) with ordinality as listed (story, place)
  where place <= :most_stories
) shown
cross join lateral (
  select case when series.kind = 'sector' then (
    select about.company_id
    from score_companies as about
    join companies as one on one.id = about.company_id and one.sector = series.key
    where about.story_id = shown.story_id and about.model_version_id = :model_version_id
    order by about.positive - about.negative, about.company_id
    limit 1
  ) else series.company_id end as company_id
) asked
join stories s on s.id = shown.story_id
where n.state = 'pending' and n.kind in ('open', 'rise')
  and not exists (
    select 1 from story_words w
    where w.story_id = shown.story_id and w.model_version_id = :model_version_id
      and w.company_id is not distinct from asked.company_id
  )
order by shown.story_id desc
limit :limit
