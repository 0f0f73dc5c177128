"""Dumps of the embedded database: made every night, brought back by one command."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path

from pipeline.errors import ServerError
from pipeline.settings import Settings
from pipeline.store import server

KEEP = 7  # a week of nights; a dump of a million articles is some 500 MB


def back_up(settings: Settings, *, as_of: datetime, keep: int = KEEP) -> Path:
    """Dump the embedded database to UNDERTOW_HOME/backups, keep the newest `keep`. Raises ServerError.

    The dump is written beside its place and moved in, so a kill leaves no half a backup under a good name.
    """
    folder = settings.home / "backups"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"undertow-{as_of:%Y%m%dT%H%M%SZ}.dump"
    half_made = path.with_suffix(".part")
    _run("pg_dump", server.database_url(settings), "--format=custom", f"--file={half_made}")
    half_made.rename(path)
    for old in sorted(folder.glob("undertow-*.dump"))[:-keep]:
        old.unlink()
    return path


def restore(settings: Settings, dump: Path) -> str:
    """Bring a dump back as the embedded database; the present one is kept under another name, which is returned."""
    if not dump.is_file():
        raise ServerError(f"{dump} is no file", f"look in {settings.home / 'backups'}")
    embedded = server.embedded(settings).start()
    fresh = f"{server.DATABASE}_restored"
    embedded.drop_database(fresh)
    embedded.ensure_database(fresh)
    _run("pg_restore", embedded.url(fresh), "--exit-on-error", "--no-owner", str(dump))
    return embedded.swap_databases(server.DATABASE, fresh)


def _run(program: str, url: str, *arguments: str) -> None:
    address, secret = server.without_password(url)
    command = [str(server.binaries() / program), f"--dbname={address}", *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **secret},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o077,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ServerError(f"{program} failed: {said[-1]}")
