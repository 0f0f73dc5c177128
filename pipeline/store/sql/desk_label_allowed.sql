select exists (select from articles where id = :article_id)
  and not exists (select from frozen_articles where article_id = :article_id)
  and (cast(:company_id as integer) is null or exists (select from companies where id = :company_id))
