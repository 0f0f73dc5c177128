"""Dumps of the embedded database: made every night, brought back by one command."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.errors import ServerError
from pipeline.settings import Settings
from pipeline.store import migrate, server
from pipeline.store.address import without_password

KEEP = 7  # a week of nights; a dump of a million articles is some 500 MB
# A half-made dump older than this is written by nobody: the nightly task is ended after two hours.
ABANDONED_AFTER = timedelta(days=1)


def back_up(settings: Settings, *, as_of: datetime, keep: int = KEEP) -> Path:
    """Dump the embedded database to UNDERTOW_HOME/backups, keep the newest `keep`. Raises ServerError.

    The dump is written beside its place and moved in, so a kill leaves no half a backup under a good name. A failure
    leaves none at all; what a kill left is deleted a day later, before it takes the room of the next dumps.
    """
    folder = settings.home / "backups"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _dump_of(folder, as_of)
    half_made = path.with_suffix(".part")
    _forget_abandoned(folder, as_of)
    try:
        _run("pg_dump", server.database_url(settings), "--format=custom", f"--file={half_made}")
        half_made.rename(path)
    except BaseException:  # also when it is told to stop
        half_made.unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob("undertow-*.dump"))[:-keep]:
        old.unlink()
    return path


def _dump_of(folder: Path, moment: datetime) -> Path:
    return folder / f"undertow-{moment:%Y%m%dT%H%M%SZ}.dump"  # names sort by time


def _forget_abandoned(folder: Path, as_of: datetime) -> None:
    oldest = _dump_of(folder, as_of - ABANDONED_AFTER).with_suffix(".part")
    for half_made in folder.glob("undertow-*.part"):
        if half_made.name < oldest.name:
            half_made.unlink(missing_ok=True)


def restore(settings: Settings, dump: Path, *, as_of: datetime) -> str | None:
    """Bring a dump back as the embedded database; the present one is kept under another name, which is returned.

    None on a machine that had none. Roles belong to the server and are in no dump: they are made before what the dump
    grants them, and once more for what an older dump does not.
    """
    if not dump.is_file():
        raise ServerError(f"{dump} is no file", f"look in {settings.home / 'backups'}")
    embedded = server.embedded(settings).start()
    fresh = f"{server.DATABASE}_restored"
    embedded.drop_database(fresh)
    embedded.ensure_database(fresh)
    migrate.make_roles(embedded.url(fresh))
    _run("pg_restore", embedded.url(fresh), "--exit-on-error", "--no-owner", str(dump))
    migrate.make_roles(embedded.url(fresh))
    return embedded.swap_databases(server.DATABASE, fresh, as_of=as_of)


def _run(program: str, url: str, *arguments: str) -> None:
    address, secret = without_password(url)
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
        raise ServerError(f"{program} failed: {_reason(done.stderr) or f'exit status {done.returncode}'}")


def _reason(stderr: str) -> str:
    """The line that says why: the first with `error:`. After it comes the command that failed, or what was left out."""
    lines = stderr.strip().splitlines() or [""]
    return next((line.partition(" error: ")[2] for line in lines if " error: " in line), lines[-1])
