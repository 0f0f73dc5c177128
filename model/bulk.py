"""Score Parquet files in bulk: on this machine's processes, or through Ray Data on many machines.

One input file is one unit of work and becomes one output file of the same name, written under a temporary name and
renamed when complete: a run that was killed goes on where it stopped, and a bad file costs itself only.
Input columns: `text`, optional `companies` (list of names); the other columns are carried along. Added, or replaced:
`sentiment`, `negative`, `neutral`, `positive`, `topics` (list of names), `company_sentiment` (JSON), `error`. The file's
metadata name the model (`undertow.model`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from model.bulk_files import MODEL, Target, append_columns, read_tables, targets, write_tables
from model.errors import DataError, ModelError

if TYPE_CHECKING:
    import pyarrow as pa

    from model.inference import Classifier
    from model.verdict import Failure, Verdict

Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class Options:
    """What every worker needs to load the model. `threads` 0 leaves the number to torch."""

    model: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class FileReport:
    """What became of one file. `errors` are rows without a verdict; `failure` says why there is no output at all."""

    path: str
    rows: int = 0
    errors: int = 0
    failure: str | None = None


@dataclass(frozen=True)
class BulkReport:
    """Counts of one run; `skipped` files had been finished by an earlier one, `failed` ones have no output."""

    files: int
    skipped: int
    rows: int
    errors: int
    failed: tuple[FileReport, ...] = ()


def score_files(
    pattern: str,
    out: str,
    *,
    options: Options | None = None,
    workers: int = 1,
    engine: Engine = "local",
    progress: Callable[[int], None] = lambda files: None,
) -> BulkReport:
    """Scores every file that `pattern` matches (local path, s3://, gs://, ... with * in its last part) into `out`.

    `progress` gets 1 for each file done. Raises DataError when nothing matches, `out` is where the files come from, a
    worker process died, or Ray is wanted and not installed; ModelError when the model cannot be loaded. Results of
    another model in `out` are a DataError, too: they would be taken for this one's.
    """
    options = options or Options()
    all_files = targets(pattern, out)
    waiting: list[Target] = []
    finished: list[Target] = []
    for target in all_files:
        (finished if target.done() else waiting).append(target)
    _refuse_others(finished, options)
    run = {"local": _locally, "ray": _with_ray}.get(engine)
    if run is None:
        raise DataError(f"there is no engine {engine!r}; use local or ray")
    done = []
    for report in run(waiting, options, workers) if waiting else ():
        done.append(report)
        progress(1)
    return BulkReport(
        files=len(all_files),
        skipped=len(all_files) - len(waiting),
        rows=sum(r.rows for r in done),
        errors=sum(r.errors for r in done),
        failed=tuple(sorted((r for r in done if r.failure), key=lambda r: r.path)),
    )


def _refuse_others(finished: Sequence[Target], options: Options) -> None:
    from model.registry import STARTER, load_manifest

    version = load_manifest(Path(options.model) if options.model else STARTER).version
    for target in finished:
        if (other := target.model()) not in (None, version):
            raise DataError(
                f"{target.out} holds verdicts of model {other}, not of {version}; write these to another folder"
            )


# --- one file -----------------------------------------------------------------------------------------------------


class FileScorer:
    """A loaded model that scores one file after another; what a worker process or a Ray actor holds."""

    def __init__(self, options: Options) -> None:
        from model.threads import share_cores

        share_cores()
        import torch

        from model.inference import Classifier

        if options.threads:
            torch.set_num_threads(options.threads)
        self._classifier: Classifier = Classifier.load(
            options.model, device=options.device, dtype=options.dtype
        )

    def score(self, target: Target) -> FileReport:
        """Rows and errors of the file; what makes the file unreadable or unwritable is a value in the report."""
        import pyarrow as pa

        try:
            rows, errors = write_tables(target, map(self._append, read_tables(target.source)))
        except (DataError, OSError) as error:
            return FileReport(target.source, failure=str(error))
        # Arrow allows what Python does not, such as a string that is no UTF-8: it shows where a value is first read.
        except (ValueError, TypeError, KeyError, pa.ArrowException) as error:
            reason = f"{type(error).__name__}: {error}"
            return FileReport(
                target.source,
                failure=f"{target.source} cannot be scored ({reason}); mend it or take it out, and run it again",
            )
        return FileReport(target.source, rows, errors)

    def _append(self, table: pa.Table) -> pa.Table:
        names = table.column("companies").to_pylist() if "companies" in table.column_names else None
        judged = append_columns(
            table, verdict_columns(self._classifier, table.column("text").to_pylist(), names)
        )
        told = {**(judged.schema.metadata or {}), MODEL: self._classifier.version.encode()}
        return judged.replace_schema_metadata(told)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """As Ray Data calls it: a row with a Target's fields in, a row with the report's fields out."""
        report = self.score(Target(row["source"], row["out"]))
        return {**vars(report), "failure": report.failure or ""}


def verdict_columns(
    classifier: Classifier,
    texts: Sequence[str | None],
    companies: Sequence[Sequence[str] | None] | None = None,
) -> dict[str, list[Any]]:
    """The added columns, one value per text; a text that cannot be judged has its reason in `error`."""
    from model.inference import Failure, TextInput

    names = companies or [None] * len(texts)
    inputs = [
        TextInput(text or "", [name for name in row or () if name])
        for text, row in zip(texts, names, strict=True)
    ]
    rows = [_failed(v) if isinstance(v, Failure) else _row(v) for v in classifier.predict(inputs)]
    return {name: [row[name] for row in rows] for name in COLUMNS}


COLUMNS: Final = ("sentiment", "negative", "neutral", "positive", "topics", "company_sentiment", "error")


def _row(verdict: Verdict) -> dict[str, Any]:
    said = {name: p.label for name, p in verdict.companies.items()}
    return {
        "sentiment": verdict.sentiment.label,
        **verdict.sentiment._asdict(),
        "topics": verdict.main_topics(),
        "company_sentiment": json.dumps(said, ensure_ascii=False),
        "error": None,
    }


def _failed(failure: Failure) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), "topics": [], "error": failure.reason}


# --- local processes ----------------------------------------------------------------------------------------------

_scorer: FileScorer | None = None


def _start_process(options: Options) -> None:
    global _scorer
    _scorer = FileScorer(options)


def _score_in_process(target: Target) -> FileReport:
    assert _scorer is not None
    return _scorer.score(target)


def _locally(files: Sequence[Target], options: Options, workers: int) -> Iterator[FileReport]:
    workers = min(workers, len(files))
    if workers <= 1:
        scorer = FileScorer(options)
        yield from map(scorer.score, files)
        return
    _check_model(options)
    shared = Options(options.model, options.device, options.dtype, max(1, (os.cpu_count() or 1) // workers))
    # spawn: a forked child inherits torch's thread pools in an unusable state
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_process, (shared,)) as pool:
        try:
            for future in as_completed([pool.submit(_score_in_process, file) for file in files]):
                yield future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died (out of memory?); finished files are kept, so run it again, with fewer --workers"
            ) from error


def _check_model(options: Options) -> None:
    # a pool reports a worker that cannot start as "broken" and nothing more: say why before there is one
    from pathlib import Path

    from model.registry import STARTER, verify

    verify(Path(options.model) if options.model else STARTER)


# --- Ray Data -----------------------------------------------------------------------------------------------------


def _with_ray(files: Sequence[Target], options: Options, workers: int) -> Iterator[FileReport]:
    """Ray Data over the list of files, not over their rows.

    It places the actors, feeds them and starts dead ones again, on GPUs if asked. Rows of one file would spread over
    output files named by Ray, and a run that was killed would begin anew.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DataError(
            "Ray is not installed; run `pip install 'undertow[ray]'`, or use --engine local"
        ) from error
    _check_model(options)
    started = not ray.is_initialized()
    if started:  # RAY_ADDRESS names a cluster; without it one is made here
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=True, logging_level="ERROR")
    try:
        workers = min(workers, len(files))
        resources, threads = _share(ray, options.device, workers)
        rows = ray.data.from_items([vars(file) for file in files], override_num_blocks=len(files)).map(
            FileScorer,
            fn_constructor_args=[Options(options.model, options.device, options.dtype, threads)],
            concurrency=workers,
            **resources,
        )
        yield from _ray_reports(rows.iter_rows())
    finally:
        if started:
            ray.shutdown()


def _share(ray: Any, device: str, workers: int) -> tuple[dict[str, float], int]:
    """What one actor asks for, and its threads: an equal share of the CPUs, within one node; a GPU where asked."""
    nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    cpus = max(1, int(min(max(nodes, default=1), sum(nodes) / workers)))
    if device.startswith("cuda"):
        return {"num_gpus": 1, "num_cpus": 1}, 0
    return {"num_cpus": cpus}, cpus


def _ray_reports(rows: Iterable[dict[str, Any]]) -> Iterator[FileReport]:
    try:
        for row in rows:
            yield FileReport(row["path"], row["rows"], row["errors"], row["failure"] or None)
    except ModelError:
        raise
    except Exception as error:  # Ray wraps whatever happened in an actor in classes of its own
        reason = str(error).strip().splitlines()[-1]
        raise DataError(f"Ray gave up: {reason}; finished files are kept, so run it again") from error
