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
#: Where a result's metadata names the version of the model.
MODEL: Final = b"undertow.model"


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

    def model(self) -> str | None:
        """Version of the model whose verdicts the result holds; None where it does not say."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        system, name = filesystem(self.out)
        try:
            told = pq.read_schema(name, filesystem=system).metadata or {}
        except (OSError, pa.ArrowException):
            return None
        return told[MODEL].decode() if MODEL in told else None


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
    """The file in tables of ROWS rows.

    Raises DataError if it is no Parquet file, has no column `text`, or holds something else in it or in `companies`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    system, name = filesystem(path)
    try:
        file = pq.ParquetFile(name, filesystem=system)
        _check_columns(path, file.schema_arrow)
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(ROWS):
            yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def _check_columns(path: str, schema: pa.Schema) -> None:
    if "text" not in schema.names:
        raise DataError(f"{path} has no column `text`; it has {', '.join(schema.names)}")
    held = schema.field("text").type
    if not _is_text(held):
        raise DataError(f"{path} holds {held} in `text`; make it a column of strings")
    # A plain string would be taken for a list of its letters.
    if "companies" in schema.names and not _is_names(held := schema.field("companies").type):
        raise DataError(f"{path} holds {held} in `companies`; make it lists of strings, or name it otherwise")


def _is_text(held: pa.DataType) -> bool:
    """True for strings however they are stored, and for a column that is null throughout."""
    from pyarrow import types

    if types.is_dictionary(held):
        held = held.value_type
    kinds = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(is_kind(held) for is_kind in kinds)


def _is_names(held: pa.DataType) -> bool:
    from pyarrow import types

    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view)
    if any(is_kind(held) for is_kind in (*lists, types.is_large_list_view)):
        return _is_text(held.value_type)
    return bool(types.is_null(held))


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
