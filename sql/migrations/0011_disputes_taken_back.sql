-- Asking others overwrites a place in the queue; what it was before is kept, so that the one who asked can take that back.

alter table label_queue add column undisputed jsonb;
comment on column label_queue.undisputed is 'Who asked others last (who), and the place before that (reason, priority, done_at in UTC, skipped_by; without a reason: there was none). Null: nobody did, or it was queued again since.';
