-- Stories that messages about to be sent will show, and whose words were not looked for yet under this model.
select distinct told.story_id, asked.company_id, s.text,
  (select m.spans from mentions m
   where m.article_id = s.first_article_id and m.company_id = asked.company_id) as spans
from notifications n
join alerts a on a.id = n.alert_id
join series on series.id = a.series_id
cross join lateral (
  select cast(story ->> 'story_id' as bigint), cast(:model_version_id as integer)
  from jsonb_array_elements(
    case jsonb_typeof(n.payload -> 'stories') when 'array' then n.payload -> 'stories' else '[]' end
  ) with ordinality as listed (story, place)
  where place <= :most_stories
) as told (story_id, model_version_id)
cross join lateral (
  select {{series_company}}
) as asked (company_id)
join stories s on s.id = told.story_id
where n.state = 'pending' and n.kind in ('open', 'rise')
  and not exists (
    select 1 from story_words w
    where w.story_id = told.story_id and w.model_version_id = told.model_version_id
      and w.company_id is not distinct from asked.company_id
  )
order by told.story_id desc
limit :limit
