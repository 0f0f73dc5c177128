update alerts set
  told = told or :told, silenced = :silenced, cause = :cause, inhibited_by = :inhibited_by,
  evidence = cast(:evidence as jsonb)
where id = :id
