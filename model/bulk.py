"""Score Parquet files in bulk: on this machine's processes, or through Ray Data on many.

Each output file is written under a temporary name and renamed, so a run that was killed goes on where it stopped.
Input columns: `text`, optional `companies` (list of names); all other columns are carried along. Added columns:
`sentiment`, `negative`, `neutral`, `positive`, `topics` (list of names), `company_sentiment` (JSON), `error`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from model.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    from model.inference import Classifier

# Rows read, scored and written at once: about 2 MB of headlines, so memory stays flat whatever the file's size.
ROWS = 8192
# A topic is named from this calibrated probability on, as in scoring; the likeliest one always is.
TOPIC_THRESHOLD = 0.5


@dataclass(frozen=True)
class BulkReport:
    """Counts of one run; `skipped` files had been finished by an earlier one."""

    files: int
    skipped: int
    rows: int
    errors: int


def score_files(
    pattern: str,
    out: str,
    *,
    model: str | None = None,
    workers: int = 1,
    engine: str = "local",
    device: str = "auto",
    progress: Callable[[int], None] = lambda rows: None,
) -> BulkReport:
    """Scores every file that `pattern` matches (local path or s3://, gs://, ... with * in its last part) into `out`.

    Raises DataError when nothing matches, a file has no `text`, or `engine` is neither local nor ray.
    """
    paths = match_files(pattern)
    waiting = [path for path in paths if not _exists(_target(path, out))]
    if engine == "ray":
        done = _with_ray(waiting, out, model, workers, device, progress)
    elif engine == "local":
        done = _with_processes(waiting, out, model, workers, device, progress)
    else:
        raise DataError(f"there is no engine {engine!r}; use local or ray")
    return BulkReport(len(paths), len(paths) - len(waiting), sum(r for r, _ in done), sum(e for _, e in done))


def match_files(pattern: str) -> list[str]:
    """The files that the pattern names, sorted. Raises DataError when there is none."""
    from pyarrow import fs

    folder, _, name = pattern.rpartition("/")
    system, root = _filesystem(folder or ".")
    try:
        found = system.get_file_info(fs.FileSelector(root))
    except OSError as error:
        raise DataError(f"{folder or '.'} cannot be read: {error}") from error
    prefix = folder + "/" if folder else ""
    matching = sorted(
        prefix + info.base_name
        for info in found
        if info.is_file and PurePosixPath(info.base_name).match(name)
    )
    if not matching:
        raise DataError(f"no file matches {pattern}; quote the pattern so that the shell leaves it alone")
    return matching


def verdict_columns(
    classifier: Classifier, texts: Sequence[str], companies: Sequence[Sequence[str]]
) -> dict[str, list[Any]]:
    """The added columns, one value per text."""
    from model.inference import Failure, TextInput

    inputs = [TextInput(text or "", tuple(names or ())) for text, names in zip(texts, companies, strict=True)]
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for verdict in classifier.predict(inputs):
        row = _failed(verdict.reason) if isinstance(verdict, Failure) else _row(verdict)
        for name in COLUMNS:
            columns[name].append(row[name])
    return columns


COLUMNS = ("sentiment", "negative", "neutral", "positive", "topics", "company_sentiment", "error")


def _row(verdict: Any) -> dict[str, Any]:
    best = max(verdict.topics, key=verdict.topics.get, default=None)
    return {
        "sentiment": verdict.sentiment.label,
        **{name: getattr(verdict.sentiment, name) for name in ("negative", "neutral", "positive")},
        "topics": [name for name, p in verdict.topics.items() if p >= TOPIC_THRESHOLD or name == best],
        "company_sentiment": json.dumps(
            {name: p.label for name, p in verdict.companies.items()}, ensure_ascii=False
        ),
        "error": None,
    }


def _failed(reason: str) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), "topics": [], "error": reason}


def _with_processes(
    paths: Sequence[str],
    out: str,
    model: str | None,
    workers: int,
    device: str,
    progress: Callable[[int], None],
) -> list[tuple[int, int]]:
    if workers <= 1 or len(paths) <= 1:
        _start_worker(model, device, 0)
        return [_score_file(path, _target(path, out), progress) for path in paths]
    threads = max(1, (os.cpu_count() or 1) // workers)
    done = []
    # spawn: a forked child inherits torch's thread pools in an unusable state
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (model, device, threads)) as pool:
        futures = [pool.submit(_score_file, path, _target(path, out)) for path in paths]
        for future in as_completed(futures):
            done.append(future.result())
            progress(done[-1][0])
    return done


_classifier: Classifier | None = None


def _start_worker(model: str | None, device: str, threads: int) -> None:
    global _classifier
    import torch

    from model.inference import Classifier

    if threads:
        torch.set_num_threads(threads)
    _classifier = Classifier.load(model, device=device)


def _score_file(
    path: str, target: str, progress: Callable[[int], None] = lambda rows: None
) -> tuple[int, int]:
    import pyarrow.parquet as pq

    system, name = _filesystem(target)
    system.create_dir(name.rpartition("/")[0] or ".", recursive=True)
    partial = f"{name}.partial"
    rows = errors = 0
    writer = None
    for table in _read(path):
        scored = _append(table)
        writer = writer or pq.ParquetWriter(partial, scored.schema, filesystem=system)
        writer.write_table(scored)
        rows += scored.num_rows
        errors += scored.num_rows - scored.column("error").null_count
        progress(scored.num_rows)
    if writer is not None:
        writer.close()
        system.move(partial, name)
    return rows, errors


def _read(path: str) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    system, name = _filesystem(path)
    try:
        file = pq.ParquetFile(name, filesystem=system)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is no Parquet file: {error}") from error
    if "text" not in file.schema_arrow.names:
        raise DataError(f"{path} has no column `text`; it has {', '.join(file.schema_arrow.names)}")
    for batch in file.iter_batches(ROWS):
        yield pa.Table.from_batches([batch])


def _append(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    assert _classifier is not None
    texts = table.column("text").to_pylist()
    companies = (
        table.column("companies").to_pylist() if "companies" in table.column_names else [()] * len(texts)
    )
    types = {
        "topics": pa.list_(pa.string()),
        **dict.fromkeys(("negative", "neutral", "positive"), pa.float32()),
    }
    for name, values in verdict_columns(_classifier, texts, companies).items():
        table = table.append_column(name, pa.array(values, types.get(name, pa.string())))
    return table


def _with_ray(
    paths: Sequence[str],
    out: str,
    model: str | None,
    workers: int,
    device: str,
    progress: Callable[[int], None],
) -> list[tuple[int, int]]:
    try:
        import ray
    except ImportError as error:
        raise DataError(
            "Ray is not installed; run `pip install 'undertow[ray]'`, or use --engine local"
        ) from error
    if not paths:
        return []

    @ray.remote  # type: ignore[untyped-decorator]
    class Worker:
        def __init__(self) -> None:
            _start_worker(model, device, 0)

        def score(self, path: str) -> tuple[int, int]:
            return _score_file(path, _target(path, out))

    from ray.util import ActorPool

    gpus = 1 if device.startswith("cuda") else 0
    pool = ActorPool([Worker.options(num_gpus=gpus).remote() for _ in range(workers)])
    done = []
    for result in pool.map_unordered(lambda worker, path: worker.score.remote(path), paths):
        done.append(result)
        progress(result[0])
    return done


def _target(path: str, out: str) -> str:
    return f"{out.rstrip('/')}/{path.rpartition('/')[2]}"


def _exists(path: str) -> bool:
    from pyarrow import fs

    system, name = _filesystem(path)
    return bool(system.get_file_info(name).type == fs.FileType.File)


def _filesystem(path: str) -> tuple[FileSystem, str]:
    from pyarrow import fs

    if "://" in path:
        system, name = fs.FileSystem.from_uri(path)
        return system, name
    return fs.LocalFileSystem(), os.path.abspath(path)
