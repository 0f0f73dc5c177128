-- The role of analysts: reads schema analytics and nothing else. Made without a password, so it cannot log in
-- over a password connection until an administrator runs: alter role undertow_reader password '...'.
-- Run again after every migration, and before and after a restore; each statement may run any number of times.

do $$
begin
  create role undertow_reader login;
exception when duplicate_object or unique_violation then null;  -- it exists, or another database is making it
end $$;

do $$
declare
  wanted constant text[] := array[
    'default_transaction_read_only=on', 'statement_timeout=30s', 'idle_in_transaction_session_timeout=60s',
    'lock_timeout=2s', 'search_path=analytics', 'TimeZone=UTC'];
  setting text;
begin
  -- writing pg_db_role_setting only when something differs keeps parallel migrations out of each other's way
  if not exists (select from pg_db_role_setting as present join pg_roles as role on role.oid = present.setrole
                 where role.rolname = 'undertow_reader' and present.setdatabase = 0 and present.setconfig @> wanted) then
    foreach setting in array wanted loop
      execute format('alter role undertow_reader set %I = %L', split_part(setting, '=', 1), split_part(setting, '=', 2));
    end loop;
  end if;
end $$;

do $$
begin
  -- a dump names the role and does not hold it: a restore runs this file in a database that is still empty
  if to_regnamespace('analytics') is null then
    return;
  end if;
  grant usage on schema analytics to undertow_reader;
  grant select on all tables in schema analytics to undertow_reader;
  grant execute on all functions in schema analytics to undertow_reader;
  alter default privileges in schema analytics grant select on tables to undertow_reader;
  alter default privileges in schema analytics grant execute on functions to undertow_reader;
end $$;

do $$
declare
  makers text;
begin
  -- Databases made before PostgreSQL 15 let everybody create in `public`: an analyst's operator there could be taken for a
  -- built-in one by whoever else asks. Those whose tables these are may go on creating.
  if has_schema_privilege('undertow_reader', 'public', 'create') then
    select string_agg(distinct quote_ident(tableowner), ', ') into makers from pg_tables where schemaname = 'public';
    execute format('grant create on schema public to %s', coalesce(makers, quote_ident(current_user)));
    revoke create on schema public from public, undertow_reader;
  end if;
exception when insufficient_privilege then
  raise warning 'everybody may create in schema public; ask its owner to revoke that';
end $$;

comment on role undertow_reader is 'Analysts: reads schema analytics, 30 s a statement, writes nothing.';
