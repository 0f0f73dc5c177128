"""What the desk's tests share: a small made-up market, clients of each role, and forms that carry their token."""

from __future__ import annotations

import re
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from pipeline.desk.app import create_app
from pipeline.desk.explaining import LONGEST_TEXT, Explainer, Spans
from pipeline.desk.visitors import Visitor
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key for tests that is long enough to sign with"


def fill(engine: Engine, stories: int = 1500, days: int = 35) -> None:
    """A market of 24 companies in an empty database, as of now."""
    raw = engine.raw_connection()
    generate = runpy.run_path(str(ROOT / "bench" / "market.py"))["generate"]
    generate(raw, stories=stories, days=days, companies=24, now=datetime.now(UTC))
    raw.close()


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(home=tmp_path / "home", desk_secret=KEY, **more)


def client(engine: Engine, settings: Settings, role: str | None = None, **more: Any) -> TestClient:
    """A browser on this machine of somebody with a role (None: whoever the desk takes them for); errors are answers, not
    exceptions."""
    provider = (lambda: Visitor(f"a {role}", role)) if role else None
    app = create_app(engine, settings, user_provider=provider)
    more = {"base_url": "http://127.0.0.1:8070", "client": ("127.0.0.1", 4000), **more}
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False, **more)


def form_token(browser: TestClient, path: str = "/feeds") -> str:
    """The token that the forms of this browser's session carry."""
    found = re.search(r'data-form-token="([0-9a-f]+)"', browser.get(path).text)
    assert found is not None
    return found[1]


def post(browser: TestClient, path: str, *, token_from: str = "/feeds", **fields: Any) -> Any:
    return browser.post(path, data={**fields, "form_token": form_token(browser, token_from)})


def one(engine: Engine, query: str, **parameters: Any) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(query), parameters).scalar()


def change(engine: Engine, query: str, **parameters: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(query), parameters)


PAGES = (
    "/", "/parts/overview", "/series", "/series?kind=topic", "/series?kind=sector", "/stories", "/stories?q=profit",
    "/stories?sentiment=negative&company=3", "/stories?topic=earnings", "/stories?sector=Banks&source=Quill+Markets",
    "/stories?since=2026-01-01T00:00&until=&as_of=", "/alerts", "/alerts?severity=critical", "/label", "/models",
    "/models/starter/promote", "/feeds", "/feeds.opml",
)  # fmt: skip


class EveryWord(Explainer):
    """Explains without a model: every word pulls."""

    def explain(self, model: Path | None, text: str, spans: Spans | None) -> list[tuple[int, int, float]]:
        self.asked = spans
        return [(*found.span(), 0.1) for found in re.finditer(r"\S+", text[:LONGEST_TEXT])]
