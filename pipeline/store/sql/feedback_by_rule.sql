select a.rule_version,
       count(distinct a.id) as alerts,
       count(distinct a.id) filter (where a.acknowledged_at is not null) as acknowledged,
       count(f.id) filter (where f.kind = 'useful') as useful,
       count(f.id) filter (where f.kind = 'noise') as noise,
       count(f.id) filter (where f.kind = 'wrong_sentiment') as wrong_sentiment,
       count(f.id) filter (where f.kind = 'wrong_company') as wrong_company,
       count(f.id) filter (where f.kind = 'duplicate') as duplicate
from alerts a
left join feedback f on f.alert_id = a.id
where a.told and not a.is_test
group by a.rule_version
order by a.rule_version
