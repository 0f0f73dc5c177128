-- The score that this version gave to an identical text of another story, with its companies and topics.
select distinct on (s.text_hash)
  s.text_hash, s.negative, s.neutral, s.positive,
  coalesce((select jsonb_object_agg(c.company_id, jsonb_build_array(c.negative, c.neutral, c.positive))
            from score_companies c
            where c.story_id = s.story_id and c.model_version_id = s.model_version_id), '{}') as companies,
  coalesce((select jsonb_object_agg(t.topic, t.probability)
            from score_topics t
            where t.story_id = s.story_id and t.model_version_id = s.model_version_id), '{}') as topics
from scores s
where s.text_hash = any(cast(:text_hashes as bytea[])) and s.model_version_id = :model_version_id
order by s.text_hash, s.story_id
