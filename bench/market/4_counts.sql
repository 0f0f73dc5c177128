-- What follows from all parts together: the next ids, the roll-ups, the detector's windows and the encoder's vectors.

select setval(pg_get_serial_sequence('stories', 'id'), (select max(id) from stories)),
       setval(pg_get_serial_sequence('articles', 'id'), (select max(id) from articles));

select rebuild_sentiment_rollups('-infinity');

insert into windows (series_id, model_version_id, window_start, negative, other)
select series_id, model_version_id, start_at, negative, neutral + positive from sentiment_rollups where span_minutes = 15;

-- Unit vectors with two equal parts, each at a place that its text decides (a839: 0.7071 as little-endian float16).
insert into story_vectors (story_id, model_version_id, vector)
select id, 2, overlay(overlay(decode(repeat('00', 768), 'hex') placing decode('a839', 'hex') from 1 + 2 * first)
                      placing decode('a839', 'hex') from 385 + 2 * second)
from stories
cross join lateral (select (hashtext(split_part(title, ' ', 3)) & 65535) % 192, (hashtext(right(text, 20)) & 65535) % 192) as place (first, second)
where available_at >= pg_temp.moment() - interval '2 days';
