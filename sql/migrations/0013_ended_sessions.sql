-- A session of the desk lives in a signed cookie, of which a copy is as good as the original: a logout is kept here.

create table ended_sessions (
  id text primary key,
  ended_at timestamptz not null
);
comment on table ended_sessions is 'Sessions of the desk that somebody logged out of; forgotten once their cookie would have expired, too.';
comment on column ended_sessions.id is 'Random id in the cookie.';
comment on column ended_sessions.ended_at is 'When, UTC.';
