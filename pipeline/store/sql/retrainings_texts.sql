-- Unlabelled texts to adapt to, oldest first: of stories whose feed may be trained on, none kept for evaluation.
select story.text
from stories as story
join articles as article on article.id = story.first_article_id
join feeds as feed on feed.id = article.feed_id
where feed.may_train and story.available_at >= :since and story.available_at <= :until
  and story.language = any(:languages)
  and not exists (select from frozen_articles as kept join articles as member on member.id = kept.article_id
                  where member.story_id = story.id)
order by story.available_at desc
limit :limit
