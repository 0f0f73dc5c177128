"""The demo's own home: settings, lists and the moment at which the recorded day was first played.

It lies beside the live system's state and shares nothing with it. The anchor and the ports are kept, so that a
second `make demo` finds the same news at the same addresses and changes nothing that was stored.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from pipeline.demo import wire
from pipeline.demo.server import HOST
from pipeline.errors import PlatformError
from pipeline.settings import PREFIX, Settings, load_settings
from pipeline.store.server import free_port, port_is_free

# Windows end at whole quarters of an hour, so the day is told just before the last one that is over.
TICK = timedelta(minutes=15)
# Settings of the caller that may reach the demo: how the model runs is a property of the machine.
INHERITED = (PREFIX + "MODEL_",)
# No secrets: the Slack-shaped server takes any token.
FIXED_SETTINGS = {
    "SMTP_HOST": HOST,
    "SMTP_SECURITY": "none",
    "SMTP_FROM": "undertow@bank.example",
    "SLACK_BOT_TOKEN": "xoxb-recorded-wire",
    "AIRFLOW_SCHEDULES": "false",
    "AIRFLOW_RETRY_DELAY_S": "3",
    "INGEST_SHARDS": "2",
}


@dataclass
class World:
    """One playing of the wire. `ready`: the archive is in and scored, baselines are made."""

    home: Path
    anchor: datetime
    http_port: int
    smtp_port: int
    ready: bool = False

    @property
    def base_url(self) -> str:
        """Where the outlets and the Slack-shaped server are."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def archive(self) -> Path:
        """Days 1 to 20 as a file for `undertow import-articles`."""
        return self.home / "archive.jsonl"

    def save(self) -> None:
        """Keep it for the next time; written beside its place, so that a kill leaves the old one."""
        state = {**asdict(self), "home": None, "anchor": self.anchor.isoformat()}
        half_made = self.home / "world.json.new"
        half_made.write_text(json.dumps(state))
        half_made.rename(self.home / "world.json")


def enter(now: datetime, *, fresh: bool = False) -> tuple[World, Settings]:
    """The demo's world, as it was left or made now, and its settings, which this process has from here on."""
    home = _home()
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    _leave_the_live_system(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        world = _kept(home) or World(home, last_tick(now), 0, 0)
        _take_ports(world)
        _write_files(world)
        world.save()
    except OSError as error:
        raise PlatformError(
            f"cannot write to {home} ({error.strerror})", "set UNDERTOW_HOME, or make room"
        ) from None
    return world, load_settings()


def last_tick(now: datetime) -> datetime:
    """A second before the last whole quarter of an hour: what arrives then counts in a window that is over."""
    return now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % TICK - timedelta(seconds=1)


def _home() -> Path:
    base = Path(os.environ.get(PREFIX + "HOME") or ".undertow").expanduser().absolute()
    return base if (base / "world.json").exists() else base / "demo"


def _leave_the_live_system(home: Path) -> None:
    for name in list(os.environ):
        if name.startswith((PREFIX, "AIRFLOW")) and not name.startswith(INHERITED):
            del os.environ[name]
    os.environ[PREFIX + "HOME"] = str(home)


def _kept(home: Path) -> World | None:
    try:
        state = json.loads((home / "world.json").read_text())
        return World(**{**state, "home": home, "anchor": datetime.fromisoformat(state["anchor"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise PlatformError(
            f"{home}/world.json is damaged", "play it afresh: make demo ARGS=--fresh"
        ) from None


def _take_ports(world: World) -> None:
    """The ports of the last time, or others if somebody has taken them."""
    if not (world.http_port and port_is_free(world.http_port)):
        world.http_port = free_port()
    if not (world.smtp_port and port_is_free(world.smtp_port)):
        world.smtp_port = free_port()


def _write_files(world: World) -> None:
    for name in ("companies.toml", "alerts.toml"):
        text = files("pipeline.demo").joinpath(name).read_text(encoding="utf-8")
        (world.home / name).write_text(text, encoding="utf-8")
    (world.home / "feeds.toml").write_text(wire.feeds_toml(world.base_url), encoding="utf-8")
    if not world.archive.exists():
        lines = "\n".join(wire.archive_lines(world.anchor, world.base_url))
        world.archive.write_text(lines + "\n", encoding="utf-8")
    settings = {
        "FEEDS_FILE": world.home / "feeds.toml",
        "COMPANIES_FILE": world.home / "companies.toml",
        "ALERTS_FILE": world.home / "alerts.toml",
        "FETCH_ALLOW_PRIVATE": f"{HOST}:{world.http_port}",
        "SMTP_PORT": world.smtp_port,
        "SLACK_API_URL": f"{world.base_url}/slack/api/",
        **FIXED_SETTINGS,
    }
    text = "".join(f'{PREFIX}{name}="{value}"\n' for name, value in settings.items())
    (world.home / ".env").write_text("# Made by `make demo`.\n" + text, encoding="utf-8")
