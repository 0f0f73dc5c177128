"""Looking for what is wrong with an installation, and saying how to mend it. Changes nothing but starts Postgres."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import psutil

from pipeline.errors import SettingsError, UndertowError, redact
from pipeline.platform import airflow
from pipeline.platform.services import Services
from pipeline.settings import Settings, load_settings

PYTHONS = ((3, 11), (3, 13))  # oldest and newest that the lock was tried on
# A day of 100 feeds takes some 20 MB with its scores; below the first figure a night's backup may already fail.
DISK_ERROR_BYTES, DISK_WARNING_BYTES = 500 * 2**20, 3 * 2**30
MEMORY_WARNING_BYTES = 3 * 2**30  # Airflow's processes take 1.1 GB, a scoring task 1 GB
SMTP_TIMEOUT_S = 5.0
# A verdict counts once its `scored_at` has come, so a scorer that far ahead holds back each alert by as much. Half a
# minute is little beside the minutes between two runs; a clock set by NTP is off by milliseconds.
CLOCK_WARNING_S = 30.0

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """What one check found; `advice` says what to do unless the verdict is ok."""

    what: str
    verdict: Verdict
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def examine() -> list[Finding]:
    """Every check, in the order in which they should be mended."""
    findings = [_python(), *_packages()]
    try:
        settings = load_settings()
    except SettingsError as error:
        return [*findings, Finding("settings", "error", str(error), "mend .env or the environment")]
    findings.append(Finding("settings", "ok", f"home is {settings.home}"))
    checks: list[Callable[[Settings], Finding]] = [
        _disk, _memory, _database, _clock, _feeds, _alerts, _model, _mail, _slack, _airflow,
    ]  # fmt: skip
    return findings + [_safely(check, settings) for check in checks]


def _safely(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """The finding of a check; an error of ours is a finding, too, and carries its own advice."""
    try:
        return check(settings)
    except UndertowError as error:
        return Finding(check.__name__.lstrip("_"), "error", redact(error.message), error.advice)


def _python() -> Finding:
    present = sys.version_info[:2]
    if not PYTHONS[0] <= present <= PYTHONS[1]:
        return Finding("python", "error", f"{present[0]}.{present[1]}", "make install PYTHON=python3.11")
    return Finding("python", "ok", ".".join(map(str, sys.version_info[:3])))


def _packages() -> list[Finding]:
    """Whether .venv is what requirements.lock says; nothing for an installation without one."""
    note = Path(sys.prefix) / "installed"
    files = [airflow.PROJECT / name for name in ("requirements.lock", "pyproject.toml")]
    if not all(file.exists() for file in files):
        return []
    if note.exists() and note.read_bytes() == b"".join(file.read_bytes() for file in files):
        return [Finding("packages", "ok", "as in requirements.lock")]
    return [Finding("packages", "warning", "not as in requirements.lock", "run `make install`")]


def _disk(settings: Settings) -> Finding:
    settings.home.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.home, os.W_OK):
        return Finding("disk", "error", f"{settings.home} cannot be written", "set UNDERTOW_HOME")
    free = shutil.disk_usage(settings.home).free
    verdict: Verdict = (
        "error" if free < DISK_ERROR_BYTES else "warning" if free < DISK_WARNING_BYTES else "ok"
    )
    return Finding("disk", verdict, f"{free / 2**30:.1f} GB free", "" if verdict == "ok" else "make room")


def _memory(settings: Settings) -> Finding:
    total = psutil.virtual_memory().total
    small = total < MEMORY_WARNING_BYTES
    advice = "Airflow and the model together want 3 GB" if small else ""
    return Finding("memory", "warning" if small else "ok", f"{total / 2**30:.1f} GB", advice)


def _database(settings: Settings) -> Finding:
    from pipeline.store import migrate, server

    kind = "embedded" if settings.database_url is None else "UNDERTOW_DATABASE_URL"
    revision = migrate.check(server.database_url(settings))
    return Finding("database", "ok", f"{kind}, schema {revision}")


def _clock(settings: Settings) -> Finding:
    from pipeline import run
    from pipeline.store.engine import clock_of

    with run.open_line(settings) as line:
        theirs = clock_of(line.engine)
        ahead_s = (run.now() - theirs).total_seconds()
    found = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the database's"
    if abs(ahead_s) <= CLOCK_WARNING_S:
        return Finding("clock", "ok", found)
    advice = "set both machines by NTP: where a scorer's clock is ahead, each alert comes that much later"
    return Finding("clock", "warning", found, advice)


def _feeds(settings: Settings) -> Finding:
    from pipeline.ingest.lists import read_companies, read_feeds

    feeds, companies = read_feeds(settings.feeds_file), read_companies(settings.companies_file)
    return Finding("feeds", "ok", f"{len(feeds)} feeds, {len(companies)} companies on the watch list")


def _alerts(settings: Settings) -> Finding:
    from pipeline.detect.rules import load_rules
    from pipeline.notify.alerts_file import load_routing
    from pipeline.notify.senders import not_set_up

    load_rules(settings.alerts_file)
    routing = load_routing(settings.alerts_file)
    operator = settings.operator_receiver
    if operator is not None and operator not in routing.receivers:
        return Finding(
            "alerts",
            "error",
            f"UNDERTOW_OPERATOR_RECEIVER is {operator!r}, which {settings.alerts_file.name} does not have",
            f"it has {', '.join(routing.receivers) or 'none'}",
        )
    if not routing.routes:
        return Finding(
            "alerts", "warning", "nobody is told", f"add [[routes]] to {settings.alerts_file.name}"
        )
    found = f"{len(routing.receivers)} receivers, {len(routing.routes)} routes"
    if missing := not_set_up(routing, settings):
        # no error: a new clone has none, and what Airflow keeps in its own tables only its tasks are given
        return Finding(
            "alerts",
            "warning",
            f"{found}; not set up: {', '.join(missing)}",
            "; ".join(set(missing.values())),
        )
    return Finding("alerts", "ok", found)


def _model(settings: Settings) -> Finding:
    from model.errors import ModelError
    from model.registry import STARTER, verify
    from pipeline import run
    from pipeline.store import models

    with run.open_line(settings) as line:
        with line.engine.connect() as connection:
            champion = models.champion(connection)
        try:
            ours = champion is not None and not run.left_behind(champion)
            manifest = verify((run.model_path(line, champion) if champion and ours else None) or STARTER)
        except ModelError as error:
            return Finding("model", "error", str(error), "`undertow models list` shows others")
    note = "" if ours else " (the starter; the next `undertow score` makes it champion)"
    return Finding("model", "ok", manifest.version + note)


def _mail(settings: Settings) -> Finding:
    if settings.smtp_host is None:
        return Finding("mail", "warning", "UNDERTOW_SMTP_HOST is not set", "set it to be told by mail")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        socket.create_connection((settings.smtp_host, settings.smtp_port), SMTP_TIMEOUT_S).close()
    except OSError as error:
        return Finding(
            "mail", "error", f"{where} does not answer ({error})", "check UNDERTOW_SMTP_HOST and _PORT"
        )
    return Finding("mail", "ok", f"{where} answers")


def _slack(settings: Settings) -> Finding:
    if settings.slack_bot_token:
        return Finding("slack", "ok", "by bot token")
    if settings.slack_webhook_url:
        return Finding("slack", "ok", "by webhook")
    return Finding(
        "slack", "warning", "not set up", "set UNDERTOW_SLACK_BOT_TOKEN or _WEBHOOK_URL to be told there"
    )


def _airflow(settings: Settings) -> Finding:
    services, installed = Services(settings), version("apache-airflow-core")
    if not services.supervisor.running():
        return Finding("airflow", "warning", f"{installed}, not running", "start it with `make up`")
    client = services.client()
    ill = [name for name, status in client.health().items() if status not in ("healthy", "None")]
    broken = client.import_errors()
    if ill or broken:
        return Finding("airflow", "error", f"unwell: {', '.join([*ill, *broken])}", f"see {services.folder}")
    return Finding("airflow", "ok", f"{installed}, healthy")
