"""Undertow's line, from feeds to a delivered alert.

    feeds.toml -> Feed      fetch    -> bytes, or not modified
               -> bytes     parse    -> Articles
               -> Articles  group    -> Stories, Mentions                              ingest
               -> Stories   classify -> Scores        (the champion model, in batches)   score
               -> Scores    count    -> Windows       (15-minute buckets per Series)
               -> Windows   test     -> Spikes
               -> Spikes    follow   -> Alerts        (pending, firing, resolved)         detect
               -> Alerts    render   -> Messages
               -> Messages  send     -> Notifications (one per receiver)                  notify

    Labels -> examples -> fine-tune -> candidate -> evaluate -> gate -> promote -> champion   retrain

Each step leaves its result in Postgres and hands the next one nothing but a small report of counts, so any step can
run alone, and running it again changes nothing. The words are defined in ARCHITECTURE.md.
"""
