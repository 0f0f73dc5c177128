-- Views outside schema analytics that read from it: `drop schema analytics cascade` would take them along.
select distinct format('%I.%I', reader_schema.nspname, reader.relname) as name
from pg_depend
join pg_rewrite on pg_rewrite.oid = pg_depend.objid and pg_depend.classid = 'pg_rewrite'::regclass
join pg_class as reader on reader.oid = pg_rewrite.ev_class
join pg_namespace as reader_schema on reader_schema.oid = reader.relnamespace
join pg_class as source on source.oid = pg_depend.refobjid and pg_depend.refclassid = 'pg_class'::regclass
join pg_namespace as source_schema on source_schema.oid = source.relnamespace
where source_schema.nspname = 'analytics' and reader_schema.nspname <> 'analytics'
order by name;
