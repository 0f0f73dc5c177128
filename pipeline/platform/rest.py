"""A small client of Airflow's REST API (v2): health, trigger and wait, last success, pools."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.errors import PlatformError

REQUEST_TIMEOUT_S = 30.0
POLL_S = 0.5
ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Run:
    """One run of a DAG. `state` is queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str
    run_after: datetime
    ended_at: datetime | None


class AirflowClient:
    """Airflow's web server at `url` (http://host:port), as one user."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": username, "password": password}
        self._token: str | None = None

    def health(self) -> dict[str, str]:
        """Status by component (metadatabase, scheduler, dag_processor, triggerer); empty: no answer yet."""
        try:
            answer = self._send("GET", "/api/v2/monitor/health")
        except (PlatformError, OSError):
            return {}
        return {name: str(value.get("status")) for name, value in answer.items() if isinstance(value, dict)}

    def dags(self) -> dict[str, bool]:
        """Whether each known DAG is paused, by its id."""
        answer = self._ask("GET", "/api/v2/dags?limit=100")
        return {dag["dag_id"]: bool(dag["is_paused"]) for dag in answer["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Last line of the error of each DAG file that does not import, by file name."""
        errors = self._ask("GET", "/api/v2/importErrors?limit=100")["import_errors"]
        return {error["filename"]: error["stack_trace"].strip().splitlines()[-1] for error in errors}

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool, or give the one that is there so many slots."""
        pool = {"slots": slots, "description": description, "include_deferred": False}
        try:
            self._ask("PATCH", f"/api/v2/pools/{_quote(name)}", {"pool": name, **pool})
        except NotFound:
            self._ask("POST", "/api/v2/pools", {"name": name, **pool})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> Run:
        """Start a run of a DAG by hand."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return _run(self._ask("POST", f"/api/v2/dags/{_quote(dag_id)}/dagRuns", body))

    def run(self, dag_id: str, run_id: str) -> Run:
        """One run as it is now."""
        return _run(self._ask("GET", f"/api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}"))

    def runs(self, dag_id: str = "~", state: str | None = None, limit: int = 1) -> list[Run]:
        """Newest runs first, of one DAG or (`~`) of all."""
        query = {"limit": limit, "order_by": "-run_after", **({"state": state} if state else {})}
        path = f"/api/v2/dags/{_quote(dag_id)}/dagRuns?{urllib.parse.urlencode(query)}"
        return [_run(found) for found in self._ask("GET", path)["dag_runs"]]

    def wait(self, started: Run, timeout_s: float, watch: Callable[[Run], None] = lambda run: None) -> Run:
        """The run once it has ended; `watch` sees it at each poll. Raises PlatformError after `timeout_s`."""
        deadline, found = time.monotonic() + timeout_s, started
        while time.monotonic() < deadline:
            with suppress(NoAnswer):  # a web server that starts again, or a busy machine
                found = self.run(started.dag_id, started.run_id)
            if found.state in ENDED:
                return found
            watch(found)
            time.sleep(POLL_S)
        raise PlatformError(
            f"DAG {found.dag_id} is still {found.state} after {timeout_s:.0f} s", f"look at {self.url}"
        )

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if self._token is None:
            self._token = self._sign_in()
        return self._send(method, path, body)

    def _sign_in(self) -> str:
        try:
            return str(self._send("POST", "/auth/token", self._login)["access_token"])
        except Refused as error:
            hint = "another Airflow may have taken the port: stop it, or set UNDERTOW_AIRFLOW_PORT; then `make up`"
            raise PlatformError(
                f"the server at {self.url} does not know our login: {error.message}", hint
            ) from None

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with _OPENER.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            kind = _KINDS.get(error.code, PlatformError)
            raise kind(f"Airflow answered {error.code} to {method} {path}: {_detail(error)}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(
                f"Airflow does not answer at {self.url} ({reason})", "start it with `make up`"
            ) from None


class NoAnswer(PlatformError):
    """Airflow's web server cannot be reached, or takes too long."""

    retry = True


class NotFound(PlatformError):
    """Airflow knows no such DAG, run or pool."""


class Refused(PlatformError):
    """Airflow does not take our login."""


_KINDS = {401: Refused, 404: NotFound}

# Airflow is on loopback: a proxy from the environment must not get in between.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Whether a server of this machine answers a GET with success."""
    try:
        _OPENER.open(url, timeout=REQUEST_TIMEOUT_S).close()
    except (OSError, http.client.HTTPException):  # urllib's own errors are OSErrors
        return False
    return True


def _run(answer: Mapping[str, Any]) -> Run:
    ended = answer.get("end_date")
    return Run(
        answer["dag_id"],
        answer["dag_run_id"],
        answer["state"],
        datetime.fromisoformat(answer["run_after"]),
        datetime.fromisoformat(ended) if ended else None,
    )


def _detail(error: urllib.error.HTTPError) -> str:
    text = error.read(500).decode(errors="replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or error.reason


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="~")
