-- The company whose verdict the story `told` (story_id, model_version_id) gives `series`: its own; of a sector the worst-hit
-- one, in the order of series_verdicts; null where the verdict is the story's. A part of other statements.
case when series.kind = 'sector' then (
  select about.company_id
  from score_companies as about
  join companies as one on one.id = about.company_id and one.sector = series.key
  where about.story_id = told.story_id and about.model_version_id = told.model_version_id
  order by about.positive - about.negative, about.company_id
  limit 1
) else series.company_id end
