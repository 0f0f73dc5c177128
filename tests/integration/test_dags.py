"""Every DAG file: it loads, keeps the house rules, and stays light enough to be parsed at each task start."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in (ROOT / "dags").glob("*.py") if path.name != "defaults.py")
HEAVY = {"torch", "transformers", "pandas", "scipy", "sklearn", "matplotlib", "feedparser", "pyarrow"}
# When each DAG runs by the clock, how long before the operator is told, and what its runbook says of it.
RUNS = {
    "ingest": (timedelta(seconds=300), timedelta(minutes=15), "every UNDERTOW_INGEST_INTERVAL_S."),
    "score": ("7 * * * *", timedelta(hours=1), "after `articles`, and every hour for what an event missed."),
    "alert": ("*/15 * * * *", timedelta(minutes=20), "after `scores` and every 15 minutes."),
    "history": ("37 * * * *", timedelta(hours=8), "every hour; it is skipped when nothing waits."),
    "retrain": ("0 3 * * 0", timedelta(hours=12), "every Sunday, after `labels`, or by hand"),
    "maintenance": ("15 2 * * *", timedelta(hours=6), "every night at 02:15 UTC."),
}
# Tasks that may take longer than half an hour, and those that are never tried again by themselves.
HOURS = {
    "score.score": 2,
    "history.read": 6,
    "retrain.adapt": 6,
    "retrain.train": 6,
    "retrain.evaluate": 6,
    "retrain.rescore": 6,
    "maintenance.overlap": 4,
    "maintenance.back_up": 2,
}
TRIED_ONCE = {"ingest.publish", "retrain.approve"}


@pytest.fixture(
    scope="module",
    params=[{}, {"UNDERTOW_RETRAIN_APPROVAL": "true", "UNDERTOW_GPU_QUEUE": "elsewhere"}],
    ids=["as it comes", "with approval and a GPU elsewhere"],
)
def dags(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.exceptions import AirflowProviderDeprecationWarning

    importlib.import_module("defaults")  # so that there is one to come back to
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error", AirflowProviderDeprecationWarning)
        for name, value in request.param.items():
            patch.setenv(name, value)
        patch.delitem(sys.modules, "defaults")
        bag = DagBag(str(ROOT / "dags"))
        assert not bag.import_errors, bag.import_errors
        yield dict(bag.dags)


def test_each_file_holds_the_dag_of_its_name(dags: dict[str, Any]) -> None:
    assert set(dags) == {path.stem for path in FILES}
    assert set(dags) == set(RUNS)


@pytest.mark.parametrize("dag_id", RUNS)
def test_a_dag_runs_when_its_runbook_says_so(dags: dict[str, Any], dag_id: str) -> None:
    when, late_after, words = RUNS[dag_id]
    runbook = " ".join(dags[dag_id].doc_md.split())
    assert f"**Runs** {words}" in runbook
    timetable = dags[dag_id].timetable
    by_clock = getattr(timetable, "timetable", timetable)  # with assets, the clock is inside
    if isinstance(when, timedelta):
        assert by_clock.delta == when == timedelta(seconds=load_settings().ingest_interval_s)
    else:
        assert (by_clock.expression, str(by_clock.timezone)) == (when, "UTC")
    if dag_id == "retrain" and load_settings().retrain_approval:
        late_after += timedelta(days=7)  # a person may take a week
    assert [deadline.interval for deadline in dags[dag_id].deadline] == [late_after]


def test_they_serialise_as_the_scheduler_stores_them(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_docstring_is_a_runbook(path: Path) -> None:
    tree = ast.parse(path.read_text())
    text = ast.get_docstring(tree) or ""
    tasks = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any("task" in ast.unparse(each) for each in node.decorator_list)
    ]
    assert text.startswith("### ")
    assert "**Runs**" in text
    assert "Red:" in text, "say what it means when a task fails"
    assert len(text) > 400
    assert not [name for name in tasks if f"*{name}*" not in text], "every task is explained"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_table_of_contents(path: Path) -> None:
    code = [line for line in path.read_text().split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 63
    assert len(path.read_text().splitlines()) <= 94


def test_house_rules_of_every_dag(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dag.doc_md, dag_id
        assert dag.tags == {"undertow"}, dag_id
        assert dag.max_active_runs == 1, dag_id
        assert not dag.catchup, dag_id
        assert dag.is_paused_upon_creation is False, dag_id
        assert dag.deadline, f"{dag_id} may be late for ever"


def test_house_rules_of_every_task(dags: dict[str, Any]) -> None:
    from pipeline.platform.failures import tell_operator

    for dag in dags.values():
        for task in dag.tasks:
            where = f"{dag.dag_id}.{task.task_id}"
            assert task.owner == "undertow", where
            assert tell_operator in _as_list(task.on_failure_callback), f"nobody is told when {where} fails"
            assert task.execution_timeout == timedelta(hours=HOURS.get(where, 0.5)), where
            assert task.retries == (0 if where in TRIED_ONCE else 2), where
            assert task.max_retry_delay == timedelta(minutes=10), where


def test_what_needs_the_model_goes_to_the_machine_that_has_the_gpu(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            on_gpu = task.pool in ("gpu", "training")
            assert task.queue == (load_settings().gpu_queue if on_gpu else "default"), task.task_id


def test_a_promotion_waits_a_week_for_a_yes_where_a_person_is_asked(dags: dict[str, Any]) -> None:
    asked = [task for task in dags["retrain"].tasks if task.task_id == "approve"]
    assert len(asked) == load_settings().retrain_approval
    for task in asked:
        assert task.response_timeout == timedelta(days=7)
        assert task.options_mapping == {"Approve": "promote", "Reject": "decline"}
        assert task.downstream_task_ids == {"promote", "decline"}


def test_the_nights_dump_begins_after_its_tidying_and_hides_no_failure_of_it(dags: dict[str, Any]) -> None:
    """Begun together, the dump held the tables whose partitions were to be made, night after night."""
    tidy, back_up, night = (dags["maintenance"].get_task(name) for name in ("tidy", "back_up", "night"))
    assert (back_up.upstream_task_ids, back_up.trigger_rule) == ({"tidy"}, "all_done")
    assert (night.upstream_task_ids, night.trigger_rule) == ({"tidy", "back_up"}, "none_failed")
    assert not night.downstream_task_ids
    assert not tidy.upstream_task_ids


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("2026-05-01T12:00", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T14:00:00+02:00", datetime(2026, 5, 1, 12, tzinfo=UTC)),
    ],
)
def test_as_of_is_read_in_utc_where_it_names_no_zone(given: str | None, read: datetime | None) -> None:
    from defaults import moment

    assert moment({"as_of": given}) == read


@pytest.mark.parametrize("given", ["yesterday", "12:00", 1.5])
def test_an_as_of_that_is_no_time_ends_the_task_and_says_how_to_write_it(given: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException
    from defaults import moment

    with pytest.raises(AirflowFailException, match="write 2026-05-01T12:00"):
        moment({"as_of": given})


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def test_pools_that_tasks_use_are_made_at_the_start(dags: dict[str, Any]) -> None:
    from pipeline.platform.airflow import POOLS, slots

    used = {task.pool for dag in dags.values() for task in dag.tasks} - {"default_pool"}
    assert used == set(POOLS) == set(slots(load_settings()))


def test_scoring_never_waits_for_a_task_that_takes_hours(dags: dict[str, Any]) -> None:
    """A training once held the only slot of the scorer's pool: for hours no story got a verdict, no alert could fire."""
    long = {
        f"{dag_id}.{task.task_id}": task
        for dag_id, dag in dags.items()
        for task in dag.tasks
        if dag_id != "score" and task.execution_timeout > timedelta(hours=1)
    }
    assert {"retrain.adapt", "retrain.train", "retrain.evaluate", "retrain.rescore"} <= set(long)
    assert {"maintenance.overlap", "history.read"} <= set(long)
    pools = {task.pool for task in dags["score"].tasks} - {"default_pool"}  # that one has 128 slots
    assert pools == {"gpu"}
    assert not [where for where, task in long.items() if task.pool in pools]


@pytest.mark.parametrize("changes", [{}, {"ingest_shards": 16}, {"ingest_shards": 64, "gpu_slots": 64}])
def test_no_pool_takes_a_worker_from_another(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.platform.airflow import environment, slots
    from pipeline.store.server import Server

    monkeypatch.setattr(Server, "url", lambda self, database: f"postgresql://{database}")
    settings = load_settings(**changes)
    given = environment(settings, Server(settings.home / "postgres"), 8080, {})
    for name in ("PARALLELISM", "MAX_ACTIVE_TASKS_PER_DAG"):
        assert int(given[f"AIRFLOW__CORE__{name}"]) > sum(slots(settings).values()), (
            "nothing is left for alerts"
        )


def test_assets_chain_the_line_together(dags: dict[str, Any]) -> None:
    emitted = {
        asset.name: dag.dag_id for dag in dags.values() for task in dag.tasks for asset in task.outlets
    }
    assert emitted["articles"] == "ingest"
    assert emitted["scores"] == "score"
    assert emitted["model"] == "retrain"
    assert _awaited(dags["score"]) == {"articles"}
    assert _awaited(dags["alert"]) == {"scores"}
    assert _awaited(dags["retrain"]) == {"labels"}


def _awaited(dag: Any) -> set[str]:
    return {asset.name for asset in dag.timetable.asset_condition.objects}


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """What a new process sees that parses all DAG files, with schedules off."""
    code = (
        "import airflow.sdk, json, sys; from airflow.sdk import DAG\n"
        f"modules = [__import__(name) for name in {[path.stem for path in FILES]}]\n"
        "dags = [module.__dict__[module.__name__]() for module in modules]\n"
        "timetables = {dag.dag_id: type(dag.timetable).__name__ for dag in dags}\n"
        "print(json.dumps({'modules': sorted(sys.modules), 'timetables': timetables}))"
    )
    environment = {**os.environ, "PYTHONPATH": "dags", "UNDERTOW_AIRFLOW_SCHEDULES": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_schedules_can_be_switched_off(fresh: dict[str, Any]) -> None:
    timetables = fresh["timetables"]
    assert timetables["ingest"] == timetables["maintenance"] == "NullTimetable"
    assert timetables["score"] == timetables["alert"] == timetables["retrain"] == "AssetTriggeredTimetable"


def test_parsing_a_dag_file_imports_nothing_heavy(fresh: dict[str, Any]) -> None:
    assert not HEAVY & set(fresh["modules"]), "this would be imported at every task start"
