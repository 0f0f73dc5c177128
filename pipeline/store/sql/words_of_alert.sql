-- Words by story of the alert's series, the newest model's where several looked.
select distinct on (told.story_id) told.story_id, told.words
from story_words as told
join alerts a on a.id = :alert_id
join series on series.id = a.series_id
where told.company_id is not distinct from {{series_company}}
  and told.story_id in (
    select cast(story ->> 'story_id' as bigint)
    from notifications n, jsonb_array_elements(
      case jsonb_typeof(n.payload -> 'stories') when 'array' then n.payload -> 'stories' else '[]' end) story
    where n.alert_id = a.id)
order by told.story_id, told.made_at desc, told.model_version_id desc
