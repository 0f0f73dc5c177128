"""The desk as an ASGI application: `create_app` puts access, pages and API together.

Standalone (`undertow desk`) it knows its visitors itself: whoever sits at this machine while it listens on loopback with
no proxy before it, else a login or a trusted proxy. Mounted in another application it asks that one by `user_provider`. All links are
relative to where it is mounted.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from pipeline import run
from pipeline.desk import api, exports
from pipeline.desk.context import HERE, Desk, asked
from pipeline.desk.edge import BodyLimit, Forwarded
from pipeline.desk.pages import (
    alerts,
    feedback,
    feeds,
    health,
    label,
    login,
    models,
    overview,
    series,
    stories,
)
from pipeline.desk.sessions import (
    COOKIE,
    LIFETIME,
    Session,
    new_session,
    password_mark,
    read_session,
    write_session,
)
from pipeline.desk.visitors import (
    LOCAL_NAME,
    LoginNeeded,
    NotAllowed,
    Visitor,
    host_is_known,
    host_name,
    is_for_this_machine,
    is_loopback,
    visitor_of_proxy,
    visitor_of_user,
)
from pipeline.errors import DatabaseError, ModelUnavailable, UndertowError, UsageError, redact
from pipeline.settings import Settings
from pipeline.store.desk_access import find_user, is_ended
from pipeline.store.engine import DataError, Engine

log = logging.getLogger(__name__)

# Everything from our own host, no inline script or style. Forms post back to us only.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(
    engine: Engine | Callable[[], Engine],
    settings: Settings,
    *,
    mounted: bool = False,
    user_provider: Callable[..., Any] | None = None,
) -> FastAPI:
    """The desk on the database of `engine` (or of a function that makes one at the first request).

    `user_provider` is a FastAPI dependency that returns the user (a Visitor, or Airflow's user object) or raises;
    with it the desk has no login of its own.
    """
    app = FastAPI(
        title="Undertow desk",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        description="Sentiment of financial news: series, stories, alerts, feeds, models. Times are UTC.",
    )
    app.state.desk = Desk(engine, settings, mounted=mounted)
    # the last one added is the first that a request meets
    app.middleware("http")(_guard)
    app.add_middleware(BodyLimit)
    app.add_middleware(Forwarded, proxies=() if mounted else settings.desk_tls_proxies)
    identify = _by_provider(user_provider) if user_provider else _by_desk
    known = [Depends(identify)]
    for page in (overview, series, stories, alerts, label, models, feeds):
        app.include_router(page.router, dependencies=known, include_in_schema=False)
    app.include_router(exports.router, dependencies=known, include_in_schema=False)
    app.include_router(api.router, prefix="/api/v1", dependencies=known)
    app.include_router(feedback.router, include_in_schema=False)
    app.include_router(health.router, include_in_schema=False)
    if user_provider is None:
        app.include_router(login.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    _answer_errors(app)
    return app


def _by_provider(provider: Callable[..., Any]) -> Callable[..., None]:
    def identify(request: Request, user: Any = Depends(provider)) -> None:
        request.state.visitor = visitor_of_user(user)

    return identify


def _by_desk(request: Request) -> None:
    request.state.visitor = find_visitor(request)


def find_visitor(request: Request) -> Visitor:
    """Who asks a desk that stands alone. Raises LoginNeeded."""
    desk: Desk = request.app.state.desk
    proxy = desk.settings.desk_trusted_proxy
    if proxy is not None and request.state.peer == proxy:
        visitor = visitor_of_proxy(request.headers)
        if visitor is None:
            raise LoginNeeded
        return visitor
    if is_for_this_machine(desk.settings) and is_loopback(request.state.peer):
        return Visitor(LOCAL_NAME, "operator")
    session: Session = request.state.session
    if session.user is None:
        raise LoginNeeded
    with desk.reading() as connection:
        user = None if is_ended(connection, session.id) else find_user(connection, session.user)
    if user is None or not compare_digest(session.mark, password_mark(user["password_hash"], desk.key)):
        raise LoginNeeded
    return Visitor(user["name"], user["role"], can_log_out=True)


async def _guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuses foreign hosts and origins, keeps the session, and adds the headers that keep pages harmless."""
    desk: Desk = request.app.state.desk
    refusal = _refusal(request, desk)
    if refusal is not None:
        return refusal
    base = str(request.scope.get("root_path", "")).rstrip("/")
    found = read_session(request.cookies.get(COOKIE), desk.key, run.now())
    request.state.session = found or new_session()
    response = await answer(request)
    session = request.state.session
    if not request.url.path.startswith(f"{base}/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    if not request.url.path.startswith((f"{base}/static/", f"{base}/parts/", f"{base}/health")):
        # signed anew with each answer, so that it expires only after so long without one; what an open page asks by
        # itself, or a watchdog, is no sign of life
        response.set_cookie(
            COOKIE,
            write_session(session, desk.key),
            max_age=int(LIFETIME.total_seconds()),
            path=base or "/",
            httponly=True,
            samesite="lax",
            secure=_over_tls(request, desk),
        )
    response.headers["Content-Security-Policy"] = POLICY.format(
        ancestors="'self'" if desk.mounted else "'none'"
    )
    response.headers.update(HEADERS)
    return response


def _over_tls(request: Request, desk: Desk) -> bool:
    """True if the browser comes by TLS: a proxy in front takes it off, and not each one says that it did. By another name
    than the one that is for TLS it may come without, and would keep no cookie that needs it."""
    address = urlsplit(desk.settings.desk_url)
    asked_for = host_name(request.headers.get("host", ""))
    promised = not desk.mounted and address.scheme == "https" and asked_for == address.hostname
    return promised or request.url.scheme == "https"


def _refusal(request: Request, desk: Desk) -> Response | None:
    settings = desk.settings
    alone = not desk.mounted and settings.desk_trusted_proxy is None
    if alone and is_loopback(settings.desk_host):
        known = {urlsplit(settings.desk_url).hostname or "", "testserver"}
        if not host_is_known(request.headers.get("host", ""), known):
            return JSONResponse({"error": "the desk does not answer to this host name"}, status_code=421)
    if request.method not in {"GET", "HEAD", "OPTIONS"} and request.headers.get("sec-fetch-site") in {
        "cross-site",
        "same-site",
    }:
        return JSONResponse({"error": "this request came from another site"}, status_code=403)
    if "%00" in request.url.query or "\x00" in request.url.path:
        return JSONResponse(
            {"error": "this address holds a character that cannot be stored"}, status_code=400
        )
    return None


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(LoginNeeded, _login_needed)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(UndertowError, _our_error)
    app.add_exception_handler(DataError, _data_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)


def _is_for_program(request: Request) -> bool:
    path = request.url.path.removeprefix(str(request.scope.get("root_path", "")).rstrip("/"))
    return path.startswith("/api/") or "application/json" in request.headers.get("accept", "")


def _error(request: Request, status: int, title: str, advice: str = "") -> Response:
    if _is_for_program(request):
        return JSONResponse({"error": title, "advice": advice}, status_code=status)
    return asked(request).page("error.html", status=status, title=title, advice=advice)


def _login_needed(request: Request, error: Exception) -> Response:
    if _is_for_program(request):
        return JSONResponse({"error": "log in first"}, status_code=401)
    if request.method != "GET":  # the button of a page that was open when its session ended
        return _error(request, 401, "you are not logged in", "nothing was changed: log in and repeat it")
    base = asked(request).base
    wanted = request.url.path.removeprefix(base)
    if request.url.query and len(wanted) + len(request.url.query) < login.LONGEST_NEXT:
        wanted += f"?{request.url.query}"
    return RedirectResponse(f"{base}/login?next={quote(wanted)}", status_code=303)


def _not_allowed(request: Request, error: Exception) -> Response:
    role = getattr(error, "role", "operator")
    return _error(request, 403, f"this needs the role {role}", "ask whoever runs the desk")


def _our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UndertowError)
    status = (
        400
        if isinstance(error, UsageError)
        else 503
        if isinstance(error, DatabaseError | ModelUnavailable)
        else 500
    )
    return _error(request, status, redact(error.message), redact(error.advice))


def _data_error(request: Request, error: Exception) -> Response:
    log.info("a value that Postgres refused: %s", redact(str(getattr(error, "orig", error))))
    return _error(request, 400, "a value is out of range", "check the address or the form")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {404: "there is nothing here", 405: "this cannot be done here"}
    if error.status_code in titles:
        response = _error(
            request, error.status_code, titles[error.status_code], "go back, or search the stories"
        )
        response.headers.update(error.headers or {})
        return response
    return JSONResponse({"error": str(error.detail)}, status_code=error.status_code, headers=error.headers)


def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    mistakes = [f"{'.'.join(str(part) for part in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
    return _error(
        request,
        422,
        "; ".join(mistakes)[:500] or "this request has a mistake",
        "check the address or the form",
    )
