"""How the desk reads: one named statement, rows as dicts, and the cursor that a page ends with."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from pipeline.errors import UsageError
from pipeline.store.engine import sql

Row = dict[str, Any]


def fetch(connection: Connection, name: str, **parameters: Any) -> list[Row]:
    """Rows of pipeline/store/sql/<name>.sql."""
    return [dict(row) for row in connection.execute(sql(name), parameters).mappings()]


def fetch_one(connection: Connection, name: str, **parameters: Any) -> Row | None:
    """The only row of <name>.sql, or None."""
    row = connection.execute(sql(name), parameters).mappings().one_or_none()
    return dict(row) if row is not None else None


def write_cursor(*values: datetime | int) -> str:
    """An opaque cursor that names the last row of a page."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, int]:
    """The (time, id) of a cursor. Raises UsageError when it is not one of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, number = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        read = datetime.fromisoformat(at)
        if read.tzinfo is None or not 0 <= int(number) < 2**63:
            raise ValueError
        return read, int(number)
    except (ValueError, TypeError, binascii.Error, UnicodeEncodeError) as error:
        raise UsageError("this cursor is not one of ours", "start again from the first page") from error
