-- [name, spans] of each company found in `article`, cut from `read.text` (article_read_text.sql). A span in a copy that is no
-- name of its company is left out. A part of other statements.
coalesce((select jsonb_agg(jsonb_build_array(named.name, kept.spans) order by named.name)
          from mentions as mention join companies as named on named.id = mention.company_id
          cross join lateral (
            select jsonb_agg(span order by place) as spans
            from jsonb_array_elements(mention.spans) with ordinality as found (span, place)
            cross join lateral (
              select substr(read.text, (span ->> 0)::integer + 1, (span ->> 1)::integer - (span ->> 0)::integer)
            ) as cut (name)
            where story.first_article_id = article.id
               or lower(cut.name) in (select lower(word) from unnest(named.aliases || named.name) as word)
               or cut.name ~ '[$(:]' and strpos(cut.name, named.ticker) > 0
          ) as kept
          where mention.article_id = article.id and kept.spans is not null), '[]')
