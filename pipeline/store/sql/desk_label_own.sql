select id from labels
where article_id = :article_id and target = :target and company_id is not distinct from :company_id
  and labelled_by = :who and retracted_at is null
