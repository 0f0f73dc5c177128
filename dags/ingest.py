"""
### Ingest: fetch every feed that is due, store what is new

**Runs** every UNDERTOW_INGEST_INTERVAL_S. **Writes** articles, stories, mentions, feed health. **Emits** `articles`.

- *sync* brings feeds.toml and companies.toml into the tables. Red: a mistake in one of the files, named in its log;
  the feeds known so far are polled nonetheless. `undertow feeds check` shows the same.
- *due* spreads the due feeds over shards, a host in one shard only.
- *fetch* takes one shard. A bad feed is stored on its row (`undertow feeds list`, `feeds why NAME`) and stops nobody.
  Red: something that concerns all feeds, such as the database. Trying again is always safe.
- *publish* is skipped when nothing was new. Red: every shard failed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Metadata, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from defaults import ARTICLES, AS_OF, SETTINGS, every, moment, options

from pipeline import run


@dag(
    dag_id="ingest",
    schedule=every(SETTINGS.ingest_interval_s),
    doc_md=__doc__,
    dagrun_timeout=timedelta(minutes=30),
    params={"as_of": AS_OF},
    **options(late_after=timedelta(minutes=15)),
)
def ingest() -> None:
    @task
    def sync() -> dict[str, Any]:
        with run.open_line() as line:
            return run.sync(line)

    @task(trigger_rule="all_done")
    def due(params: dict[str, Any] | None = None) -> list[list[int]]:
        with run.open_line() as line:
            return run.due_shards(line, as_of=moment(params))

    @task(pool="feeds")
    def fetch(feed_ids: list[int], params: dict[str, Any] | None = None) -> dict[str, Any]:
        with run.open_line() as line:
            return run.ingest(line, feed_ids, as_of=moment(params))

    @task(outlets=[ARTICLES], trigger_rule="all_done", retries=0)
    def publish(shards: list[list[int]] | None, reports: list[dict[str, Any]] | None) -> Any:
        done = [report for report in reports or [] if report]
        if shards is None or (shards and not done):  # a skipped leaf would leave the run green
            raise AirflowFailException("every shard failed; see the logs of fetch")
        found = {name: sum(report.get(name, 0) for report in done) for name in ("new", "revised")}
        if not any(found.values()):
            raise AirflowSkipException("nothing new")
        yield Metadata(ARTICLES, extra=found)

    shards = due()
    sync() >> shards
    publish(shards, fetch.expand(feed_ids=shards))


ingest()
