"""Parquet files in and out, local or in an object store, read and written in pieces so that memory stays flat."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from model.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem

#: Rows read, scored and written at once: about 1 MB of headlines, and two pools of the classifier.
ROWS: Final = 4096


@dataclass(frozen=True)
class Target:
    """A file to score and the file that the result goes to."""

    source: str
    out: str

    def done(self) -> bool:
        """True once the result is complete."""
        from pyarrow import fs

        system, name = filesystem(self.out)
        return bool(system.get_file_info(name).type == fs.FileType.File)


def targets(pattern: str, out: str) -> list[Target]:
    """The files that the pattern names, sorted, each with its place in folder `out`.

    Raises DataError when there is none, or when `out` is the folder they are in.
    """
    folder, slash, wanted = pattern.rpartition("/")
    folder = folder or ("/" if slash else ".")
    if filesystem(folder) == filesystem(out.rstrip("/")):
        raise DataError(f"{out} holds the files to score; write the results to another folder")
    found = sorted(name for name in _list(folder) if PurePosixPath(name).match(wanted))
    if not found:
        raise DataError(f"no file matches {pattern}; quote the pattern so that the shell leaves it alone")
    return [Target(f"{folder.rstrip('/')}/{name}", f"{out.rstrip('/')}/{name}") for name in found]


def _list(folder: str) -> list[str]:
    from pyarrow import fs

    system, root = filesystem(folder)
    try:
        return [info.base_name for info in system.get_file_info(fs.FileSelector(root)) if info.is_file]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error}") from error


def read_tables(path: str) -> Iterator[pa.Table]:
    """The file in tables of ROWS rows. Raises DataError if it is no Parquet file or has no column `text`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    system, name = filesystem(path)
    try:
        file = pq.ParquetFile(name, filesystem=system)
        if "text" not in file.schema_arrow.names:
            raise DataError(f"{path} has no column `text`; it has {', '.join(file.schema_arrow.names)}")
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(ROWS):
            yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def append_columns(table: pa.Table, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """The table with the columns at its end; columns of the same name are replaced."""
    import pyarrow as pa

    numbers = dict.fromkeys(("negative", "neutral", "positive"), pa.float32())
    types = {"topics": pa.list_(pa.string()), **numbers}
    table = table.drop_columns([name for name in columns if name in table.column_names])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, types.get(name, pa.string())))
    return table


def write_tables(target: Target, tables: Iterable[pa.Table]) -> tuple[int, int]:
    """Writes them as one file that appears when it is complete; returns its rows, and those with an `error`."""
    import pyarrow.parquet as pq
    from pyarrow.fs import LocalFileSystem

    system, name = filesystem(target.out)
    if isinstance(system, LocalFileSystem):  # object stores have no folders
        system.create_dir(name.rpartition("/")[0], recursive=True)
    partial, writer, rows, errors = f"{name}.partial", None, 0, 0
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(partial, table.schema, filesystem=system)
            writer.write_table(table)
            rows += table.num_rows
            errors += table.num_rows - table.column("error").null_count
    finally:
        if writer is not None:
            writer.close()
    system.move(partial, name)
    return rows, errors


def filesystem(path: str) -> tuple[FileSystem, str]:
    """The file system of a local path or an address like s3://bucket/path, and the path in it."""
    from pyarrow import fs

    if "://" not in path:
        return fs.LocalFileSystem(), os.path.abspath(path)
    try:
        system, name = fs.FileSystem.from_uri(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be opened: {error}") from error
    return system, name
