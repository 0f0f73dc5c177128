"""How long the first page of the desk takes in headless Chromium, and how heavy it is.

    .venv/bin/python bench/first_page.py [--rounds 10]

Fills a market of 60 companies in a PostgreSQL of its own, starts the desk on loopback and opens the overview in a new browser
profile each time (nothing cached; the first round is the desk's first request). "drawn" is the moment when both charts
stand on the page, "load" the browser's load event; the bytes are of everything that came, the chart library apart.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from market import generate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.store import migrate
from pipeline.store.engine import Engine, create_engine
from pipeline.store.server import Server

TARGET_S, TARGET_KB = 1.0, 300


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "postgres").start()
        try:
            server.ensure_database("market")
            migrate.upgrade(server.url("market"))
            engine = create_engine(server.url("market"))
            raw = engine.raw_connection()
            generate(raw, stories=15_000, days=120, companies=60, now=datetime.now(UTC))
            raw.close()
            with desk(engine, Path(folder)) as address:
                report([look(address) for _ in range(rounds)])
        finally:
            server.stop()


@contextmanager
def desk(engine: Engine, home: Path) -> Iterator[str]:
    import uvicorn

    from pipeline.desk.app import create_app
    from pipeline.settings import Settings

    listener = socket.create_server(("127.0.0.1", 0))
    settings = Settings(home=home / "home", desk_secret="bench", _env_file=None)
    server = uvicorn.Server(uvicorn.Config(create_app(engine, settings), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


def look(address: str) -> dict[str, float]:
    """Seconds and bytes of one visit with an empty cache."""
    from playwright.sync_api import sync_playwright

    came: list[Any] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 850})
        page.on("requestfinished", lambda request: came.append(request))
        page.goto(address, wait_until="commit")
        page.locator(".chart canvas").nth(1).wait_for(state="attached")
        drawn = page.evaluate("performance.now()") / 1000
        page.wait_for_load_state("networkidle")
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
        sizes = {request.url: request.sizes()["responseBodySize"] for request in came}
        browser.close()
    ours = sum(size for url, size in sizes.items() if "uplot" not in url)
    return {"load": load, "drawn": drawn, "kb": ours / 1000, "kb_all": sum(sizes.values()) / 1000}


def report(visits: list[dict[str, float]]) -> None:
    for name, unit, target in (("load", "s", TARGET_S), ("drawn", "s", TARGET_S), ("kb", "kB", TARGET_KB)):
        values = [visit[name] for visit in visits]
        print(
            f"{name:<6} first {values[0]:7.2f} {unit}   median {np.median(values):7.2f}   worst {max(values):7.2f}"
            f"   target {target:g} {unit}"
        )
    print(f"with the chart library {visits[0]['kb_all']:.0f} kB")


if __name__ == "__main__":
    main()
