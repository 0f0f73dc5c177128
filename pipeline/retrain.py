"""The wiring of retraining, beside `run`: from labels to a new champion, step by step.

Every step takes the line and the `run_key` of the retraining, may be repeated, goes on where a killed one stopped, and
returns what JSON can carry. Until `promote` commits its one row the champion is the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.threads import share_cores
from pipeline import run
from pipeline.challenger import folder_of, loader, model_of, start_of
from pipeline.errors import UsageError
from pipeline.label.dataset import choose_frozen, make_dataset, mark_near_copies, merge_labels
from pipeline.label.gate import Verdict, decide
from pipeline.label.runkey import folder_name, is_plain
from pipeline.rehearse import overlap as overlap
from pipeline.rehearse import rehearse
from pipeline.run import Line, ensure_champion, now
from pipeline.store import models, notifications, retrainings, scores
from pipeline.store.engine import Connection
from pipeline.store.retrainings import Retraining

if TYPE_CHECKING:
    from pipeline.label.learn import RunFiles

# Unlabelled stories since the last adaptation from which adapting again pays, and the most that are read: masked words
# taught a MiniLM nothing measurable from fewer, and 100,000 texts take hours on two cores.
ADAPT_LEAST, ADAPT_MOST = 20_000, 100_000


def enough(line: Line, *, force: bool = False) -> dict[str, Any]:
    """Are there labels that no retraining has seen, as many as UNDERTOW_RETRAIN_MIN_LABELS (any, with `force`)?"""
    with line.engine.connect() as connection:
        new = retrainings.count_new_labels(connection)
    needed = 1 if force else line.settings.retrain_min_labels
    return {"enough": new >= needed, "new_labels": new, "needed": needed}


def prepare(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Opens the run: its row, the frozen sets grown by fresh labels, the files to learn from and to be judged on."""
    share_cores()
    from pipeline.label import learn

    as_of = as_of or now()
    champion, files = ensure_champion(line, as_of=as_of), run_files(line, run_key)
    with line.engine.begin() as connection:
        row = retrainings.open_retraining(connection, run_key, champion.id, as_of)
        if row.over or ("frozen" in row.data and files.frozen.is_file()):
            return dict(row.data)
        seen = retrainings.decided_until(connection, before=run_key)
        labels = retrainings.read_label_rows(connection)
        articles = merge_labels(labels)
        touched = retrainings.trained_until(connection, before=run_key)
        copies = learn.find_copies(articles, retrainings.read_unlabelled(connection, touched))
        retrainings.freeze(connection, frozen := choose_frozen(articles, touched, copies), as_of)
        dataset = make_dataset(articles, frozen, seen, mark_near_copies(articles, frozen, copies))
        learn.write_dataset(files, dataset)
        data = {
            "last_label": max((label.label_id for label in labels), default=0),
            "new": len(dataset.new),
            "old": len(dataset.old),
            "replay_weight": dataset.replay_weight,
            "frozen": {name: dataset.frozen_sets.count(name) for name in sorted(set(dataset.frozen_sets))},
            "frozen_now": len(frozen),
            "left_out": dict(dataset.left_out),
        }
        new = sum(label.label_id > seen for label in labels)
        retrainings.update_retraining(connection, run_key, label_count=new, data=data)
    return data


def adapt(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Lets the encoder read what has come in since it last did, where that is enough; else says that it did not."""
    from pipeline.label import learn

    row, files = _begun(line, run_key, as_of), run_files(line, run_key)
    if row.over or "adapted" in row.data:
        return dict(row.data.get("adapted", {}))
    champion = model_of(line, row.champion_id)
    with line.engine.connect() as connection:
        since = retrainings.adapted_until(connection)
        found = retrainings.count_texts(connection, since, row.started_at)
        texts = (
            retrainings.read_texts(connection, since, row.started_at, champion.languages, ADAPT_MOST)
            if found >= ADAPT_LEAST
            else []
        )
    if len(texts) >= ADAPT_LEAST:
        told = learn.adapt_encoder(files, texts, **start_of(line, champion, row))
        told["until"] = row.started_at.isoformat()
    else:
        told = {"skipped": f"{found} new stories; {ADAPT_LEAST} make it worth while"}
    with line.engine.begin() as connection:
        retrainings.update_retraining(connection, run_key, data={"adapted": told})
    return told


def train(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Trains the challenger and registers it as a candidate. The champion is not touched."""
    from model.registry import verify
    from pipeline.label import learn

    row, files = _begun(line, run_key, as_of), run_files(line, run_key)
    if row.over or row.challenger_id is not None:
        return dict(row.data.get("trained", {}))
    champion = model_of(line, row.champion_id)
    out = line.settings.home / "models" / files.folder.name
    start = start_of(line, champion, row)
    told = learn.train_challenger(files, out, replay_weight=row.data["replay_weight"], **start)
    manifest = verify(out)
    told |= {"version": manifest.version, "sources": [dict(source) for source in manifest.data]}
    with line.engine.begin() as connection:
        stored = models.register_model(
            connection,
            version=manifest.version,
            path=str(out.relative_to(line.settings.home)),
            manifest={**manifest.to_json(), "version": manifest.version},
            as_of=as_of or now(),
            parent=champion.version,
        )
        retrainings.update_retraining(connection, run_key, challenger_id=stored.id, data={"trained": told})
    learn.forget_adapted(files)
    return told


def evaluate(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Measures champion and challenger on the same frozen files; keeps the evidence under the run.

    A challenger that passes so far reads the last weeks, so that its alerts can be replayed and what is usual under it
    is known at the moment of the switch: no alert fires because of it.
    """
    from pipeline.label.measure import measure, read_evidence, summarise

    row, files = _begun(line, run_key, as_of), run_files(line, run_key)
    if row.overtaken and not files.evidence.is_file():
        raise _overtaken(run_key)
    if not row.over and not files.evidence.is_file():
        champion, challenger = model_of(line, row.champion_id), model_of(line, row.challenger_id)
        measured = measure(
            run.model_path(line, champion),
            folder_of(line, challenger),
            files,
            load=loader(line),
        )
        if decide(read_evidence(measured)).promote:
            measured["evidence"]["replay"] = rehearse(line, champion, challenger, as_of or now())
        _write_json(files.evidence, measured)
    figures = summarise(json.loads(files.evidence.read_text()))
    # A kill may have come between the file and its row; or the file was deleted, and all was measured again.
    if not row.over and row.metrics != figures:
        with line.engine.begin() as connection:
            retrainings.update_retraining(connection, run_key, metrics=figures)
    return figures


def gate(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Decides, writes the report; a refusal ends the run, a promotion waits for `promote` (or a person, by setting)."""
    from pipeline.label.measure import read_evidence
    from pipeline.label.report import render_report

    row, files = _begun(line, run_key, as_of), run_files(line, run_key)
    measured = json.loads(files.evidence.read_text())
    verdict = decide(read_evidence(measured))
    if not row.over:
        champion, challenger = model_of(line, row.champion_id), model_of(line, row.challenger_id)
        files.report.write_text(render_report(row, champion.version, challenger.version, measured, verdict))
        _settle(line, row, challenger, verdict, as_of or now())
    return verdict.as_dict()


def _settle(
    line: Line, row: Retraining, challenger: models.StoredModel, verdict: Verdict, as_of: datetime
) -> None:
    passed = "awaiting_approval" if line.settings.retrain_approval else "running"
    state = passed if verdict.promote else "refused"
    with line.engine.begin() as connection:
        retrainings.update_retraining(
            connection,
            row.run_key,
            state=state,
            finished_at=None if verdict.promote else as_of,
            reasons=[reason.sentence for reason in verdict.reasons],
            report_path=str(run_files(line, row.run_key).report),
        )
        if not verdict.promote:
            models.set_state(connection, challenger.version, "rejected")
            scores.dequeue_rescore(connection, challenger.id)
            lines = [
                f"Candidate {challenger.version} was refused; the champion stays.",
                *verdict.as_dict()["reasons"],
            ]
            _tell(line, connection, "Retraining: the champion stays", lines, f"retrain:{row.run_key}", as_of)


def promote(
    line: Line, run_key: str, *, by: str | None = None, as_of: datetime | None = None
) -> dict[str, Any]:
    """Makes the challenger champion: one insert, in force when it commits. Refuses what the gate has not passed.

    Raises UsageError when the champion changed since the run began: the comparison is then about another model, and the
    run is over. Where it is the challenger that somebody promoted meanwhile, the run has what it wanted.
    """
    as_of = as_of or now()
    row = _begun(line, run_key, as_of)
    challenger = model_of(line, row.challenger_id)
    if row.state == "promoted":
        return {"champion": challenger.version, "already": True}
    if row.overtaken:
        raise _overtaken(run_key)
    if row.declined:
        raise UsageError(f"a person declined to promote run {run_key}", "retrain again: `undertow retrain`")
    if not gate(line, run_key, as_of=as_of)["promote"]:
        raise UsageError(
            f"the gate refused run {run_key}", "its reasons: `undertow retrain --run-key KEY --report FILE`"
        )
    with line.engine.begin() as connection:
        models.lock_alias(connection)
        champion = models.champion(connection)
        if champion is not None and champion.id == challenger.id:
            retrainings.update_retraining(connection, run_key, state="promoted", finished_at=as_of)
            return {"champion": challenger.version, "already": True}
        if champion is not None and champion.id == row.champion_id:
            _switch(line, connection, row, challenger, champion.version, by, as_of)
            return {"champion": challenger.version, "before": champion.version}
        # Committed before the error: a run left as it was would be taken up again by every `undertow retrain`.
        scores.dequeue_rescore(connection, challenger.id)
        retrainings.end_overtaken(connection, run_key, _overtaken(run_key).message, as_of)
    raise _overtaken(run_key)


def _switch(
    line: Line,
    connection: Connection,
    row: Retraining,
    challenger: models.StoredModel,
    champion: str,
    by: str | None,
    as_of: datetime,
) -> None:
    from pipeline.label.measure import headline

    reason = "better on the frozen sets: " + headline(row.metrics)
    run.switch_champion(
        line, connection, challenger, by=by or f"retrain {row.run_key}", reason=reason, as_of=as_of
    )
    retrainings.update_retraining(connection, row.run_key, state="promoted", finished_at=as_of)
    lines = [f"{challenger.version} took over from {champion}.", *row.reasons]
    _tell(line, connection, "Retraining: a new champion", lines, f"retrain:{row.run_key}", as_of)


def _overtaken(run_key: str) -> UsageError:
    return UsageError(f"the champion changed since run {run_key} began", "retrain again: `undertow retrain`")


def after_promotion(line: Line, run_key: str, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Queues what the switch has not queued for the new champion: the stories since. `rescore` works it off."""
    row = _begun(line, run_key, as_of)
    if row.state != "promoted":
        return {"queued": 0}
    version = model_of(line, row.challenger_id).version
    return {"queued": run.enqueue_rescore(line, version, as_of=as_of), "version": version}


def rescore(
    line: Line,
    run_key: str,
    *,
    limit: int | None = None,
    as_of: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Scores queued history with the new champion, the newest first, then builds baselines from it."""
    queued = after_promotion(line, run_key, as_of=as_of)
    if "version" not in queued:
        return queued
    return {
        **queued,
        **run.read_history(line, limit, version=queued["version"], as_of=as_of, progress=progress),
    }


def retrain(
    line: Line,
    run_key: str | None = None,
    *,
    force: bool = False,
    as_of: datetime | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """All steps in order. Without a run key it goes on with an unfinished run, or begins a new one.

    Ends without training when there are too few new labels, unless `force`.
    """
    run_key = run_key or _unfinished(line) or f"cli-{(as_of or now()):%Y%m%d-%H%M%S}"
    folder_name(run_key)  # refused before anything else is said of it
    if _find(line, run_key) is None:
        found = enough(line, force=force)
        if not found["enough"]:
            return {"run_key": run_key, "state": "skipped", **found}
    report: dict[str, Any] = {"run_key": run_key}
    for name, step_of in (("prepare", prepare), ("adapt", adapt), ("train", train), ("evaluate", evaluate)):
        progress(name)
        report[name] = step_of(line, run_key, as_of=as_of)
    progress("gate")
    report["gate"] = gate(line, run_key, as_of=as_of)
    row = _begun(line, run_key, as_of)
    if report["gate"]["promote"] and not (
        line.settings.retrain_approval and row.state == "awaiting_approval"
    ):
        progress("promote")
        report["promote"] = promote(line, run_key, as_of=as_of)
        progress("rescore")
        report["rescore"] = rescore(line, run_key, as_of=as_of)
    row = _begun(line, run_key, as_of)
    return {**report, "state": row.state, "report": row.report_path}


def copy_report(line: Line, run_key: str, path: Path) -> None:
    """Copies the HTML report of a run. Raises UsageError where it has none."""
    row = _find(line, run_key)
    if row is None or row.report_path is None:
        raise UsageError(f"run {run_key} has no report", "it ended before the gate")
    shutil.copyfile(row.report_path, path)


# ---- small things


def run_files(line: Line, run_key: str) -> RunFiles:
    """Where a run keeps its files. Raises UsageError for a key that is no plain name."""
    from pipeline.label.learn import RunFiles

    return RunFiles(line.settings.home / "retrain" / folder_name(run_key))


def _find(line: Line, run_key: str) -> Retraining | None:
    with line.engine.connect() as connection:
        return retrainings.find_retraining(connection, run_key)


def _begun(line: Line, run_key: str, as_of: datetime | None) -> Retraining:
    """The row of the run; its files are made first where they are missing. Steps begin with it, before torch is there."""
    share_cores()
    row = _find(line, run_key)
    if row is None or not (row.over or ("frozen" in row.data and run_files(line, run_key).frozen.is_file())):
        prepare(line, run_key, as_of=as_of)
        row = _find(line, run_key)
    assert row is not None
    return row


def _unfinished(line: Line) -> str | None:
    with line.engine.connect() as connection:
        newest = retrainings.list_retrainings(connection, 1)
    # a key that an older release took and this one refuses must not stop all later retrainings
    on_its_way = newest and newest[0].state in ("running", "failed") and is_plain(newest[0].run_key)
    return newest[0].run_key if on_its_way else None


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1), encoding="utf-8")
    partial.replace(path)


def _tell(line: Line, connection: Any, subject: str, lines: list[str], key: str, as_of: datetime) -> None:
    notifications.tell_operator(connection, line.settings.operator_receiver, subject, lines, key, as_of)
