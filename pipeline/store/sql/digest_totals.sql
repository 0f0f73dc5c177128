select (select count(*) from stories where available_at >= :start and available_at < :end and not backfilled) as stories,
       (select count(*) from articles where available_at >= :start and available_at < :end and not backfilled) as articles,
       (select count(*) from feeds where enabled and paused_at is null and removed_at is null) as feeds,
       (select coalesce(jsonb_agg(jsonb_build_object('name', f.name, 'status', fs.status, 'since', fs.first_error_at)
                 order by fs.first_error_at), '[]')
        from feed_states fs join feeds f on f.id = fs.feed_id
        where fs.status <> 'ok' and f.enabled and f.paused_at is null and f.removed_at is null) as feeds_in_trouble,
       (select count(*) from label_queue where done_at is null) as labels_waiting
