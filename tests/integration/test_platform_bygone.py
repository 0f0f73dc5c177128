"""What Airflow keeps of its runs goes after a month: rows by Airflow's own command, logs by their age."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from pipeline.platform import airflow
from pipeline.platform.bygone import delete_older, forget_runs
from pipeline.settings import load_settings
from pipeline.store import server

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=31)
# A run of a DAG that was parsed last before the machine slept for a month, and one of today.
RUNS = """
insert into dag_bundle (name) values ('dags-folder') on conflict do nothing;
insert into dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info, max_active_tasks,
                 max_consecutive_failed_dag_runs, has_task_concurrency_limits, last_parsed_time)
values ('ingest', false, false, 'dags-folder', 'x', '{}', 1, 0, false, %(old)s);
insert into dag_version (id, version_number, dag_id, created_at, last_updated, bundle_name)
values ('00000000-0000-0000-0000-000000000001', 1, 'ingest', %(old)s, %(old)s, 'dags-folder');
insert into dag_run (dag_id, run_id, run_type, run_after, start_date, state, log_template_id)
select 'ingest', run_id, 'scheduled', at, at, 'success', (select max(id) from log_template)
from (values ('old', %(old)s), ('new', %(now)s)) as run (run_id, at);
insert into task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, start_date, state, dag_version_id)
select gen_random_uuid(), 'fetch', dag_id, run_id, 1, 'default_pool', 1, start_date, 'success',
       '00000000-0000-0000-0000-000000000001'
from dag_run;
insert into xcom (dag_run_id, task_id, key, dag_id, run_id, timestamp, value)
select id, 'fetch', 'return_value', dag_id, run_id, start_date, '{}' from dag_run;
insert into log (event, dttm, dag_id, run_id) select 'running', start_date, dag_id, run_id from dag_run;
"""


def log_of(logs: Path, name: str, at: datetime) -> Path:
    path = logs / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("done\n")
    for written in (path, *list(path.parents)[: len(path.relative_to(logs).parts) - 1]):
        os.utime(written, (at.timestamp(), at.timestamp()))
    return path


def test_runs_of_a_month_ago_leave_neither_rows_nor_logs(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_HOME", home)
    monkeypatch.setenv("AIRFLOW_HOME", f"{home}/airflow")
    settings = load_settings()
    embedded = server.embedded(settings)
    airflow.folder(settings).mkdir()
    airflow.migrate(embedded, airflow.environment(settings, embedded, 8080, os.environ))
    logs = airflow.folder(settings) / "logs"
    old, new = (log_of(logs, f"dag_id=ingest/run_id={at:%Y%m%d}/a.log", at) for at in (OLD, NOW))
    url = embedded.url(airflow.DATABASE).replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(RUNS, {"old": OLD, "now": NOW})

    # as a task finds them
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    assert forget_runs(NOW) == {"files": 1, "rows": True}

    assert (old.parent.exists(), new.exists()) == (False, True)
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for table in ("dag_run", "task_instance", "xcom", "log"):
            cursor.execute(f"select distinct run_id from {table} where run_id in ('old', 'new')")
            assert cursor.fetchall() == [("new",)], table
        cursor.execute("select count(*) from dag")
        assert cursor.fetchone() == (1,)
        cursor.execute("select count(*) from pg_tables where tablename like %s", ("\\_airflow\\_deleted%",))
        assert cursor.fetchone() == (0,)


def test_where_airflow_lives_elsewhere_only_its_logs_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    log_of(tmp_path / "logs", "dag_id=ingest/run_id=old/task_id=fetch/attempt=1.log", OLD)
    kept = log_of(tmp_path / "logs", "dag_processor/today/ingest.py.log", NOW)
    (tmp_path / "logs/dag_processor/latest").symlink_to(kept.parent)
    assert forget_runs(NOW) == {"files": 1, "rows": False}
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["dag_processor"]
    assert kept.exists()
    assert not load_settings().home.exists()  # no server was made for it
    assert delete_older(tmp_path / "none", NOW) == 0
