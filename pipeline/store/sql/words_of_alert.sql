-- Words by story of the alert's series, the newest model's where several looked; the company as in words_wanted.
select distinct on (w.story_id) w.story_id, w.words
from story_words w
join alerts a on a.id = :alert_id
join series on series.id = a.series_id
where w.company_id is not distinct from case when series.kind = 'sector' then (
    select about.company_id
    from score_companies as about
    join companies as one on one.id = about.company_id and one.sector = series.key
    where about.story_id = w.story_id and about.model_version_id = w.model_version_id
    order by about.positive - about.negative, about.company_id
    limit 1
  ) else series.company_id end
  and w.story_id in (
    select cast(story ->> 'story_id' as bigint)
    from notifications n, jsonb_array_elements(
      case jsonb_typeof(n.payload -> 'stories') when 'array' then n.payload -> 'stories' else '[]' end) story
    where n.alert_id = a.id)
order by w.story_id, w.made_at desc, w.model_version_id desc
