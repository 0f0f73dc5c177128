-- Feeds whose fetches in the window [:start, :tick_at) brought more or less than this quarter of an hour, as a multiple
-- of it: 0 while a feed (or this machine) is down, up to 24 when it is back with a backlog; older items are history.
with polled as (
  select id from feeds
  where enabled and paused_at is null and origin <> 'import' and removed_at is null and added_at < :tick_at
), known as (
  select polled.id, before.ok_at as ok_before, during.ok_at as ok_now, failed.at as failed_at
  from polled
  left join lateral (
    select started_at as ok_at from feed_fetches
    where feed_id = polled.id and started_at < :start and outcome in ('ok', 'not_modified', 'same_body')
    order by started_at desc limit 1
  ) as before on true
  left join lateral (
    select started_at as ok_at from feed_fetches
    where feed_id = polled.id and started_at >= :start and started_at < :tick_at
      and outcome in ('ok', 'not_modified', 'same_body')
    order by started_at limit 1
  ) as during on true
  left join lateral (
    select started_at as at from feed_fetches
    where feed_id = polled.id and started_at < :tick_at and outcome in ('error', 'egress_down')
    order by started_at desc limit 1
  ) as failed on true
), machine as (
  select bool_or(greatest(ok_now, failed_at) >= :start) as polls_now,
         bool_or(greatest(ok_before, failed_at) >= :tick_at - interval '75 minutes') as polled_lately,
         bool_or(ok_now is not null or ok_before is not null or failed_at is not null) as ever
  from known
)
select known.id as feed_id,
       case
         when known.ok_now is not null then
           least(coalesce(extract(epoch from known.ok_now - known.ok_before), 21600), 21600) / 900
         else 0
       end as ratio
from known, machine
where machine.ever and case
  when known.ok_now is not null then
    known.ok_before is null
    or (known.ok_now - known.ok_before > interval '1 hour'
        and (known.failed_at > known.ok_before or not coalesce(machine.polled_lately, false)))
  else known.ok_before is null
    or (known.ok_before < :tick_at - interval '1 hour'
        and (coalesce(known.failed_at > known.ok_before, false)
             or not (coalesce(machine.polls_now, false) or coalesce(machine.polled_lately, false))))
end
order by 1
