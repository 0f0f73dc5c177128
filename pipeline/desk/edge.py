"""What meets a request before the application does: how much it may bring, and whose word counts for where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

# A list of feeds, the largest thing that anybody sends: 2 MB are some 10,000 feeds.
OPML_BYTES = 2_000_000
# And what a form adds to it: boundaries, names, the form's token.
BODY_BYTES = OPML_BYTES + 200_000
TOO_LARGE = f"this is larger than {OPML_BYTES // 1_000_000} MB"
CLOSE = {"Connection": "close"}  # what is still on its way is not read


class BodyLimit:
    """Refuses a larger body while it arrives: forms are read, and their files spooled to disk, before anybody is asked
    who they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse({"error": TOO_LARGE, "advice": "split it"}, status_code=413, headers=CLOSE)
        if _announced(scope) > BODY_BYTES:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES:
                raise ValueError(TOO_LARGE)
            return message

        async def answer(message: Message) -> None:
            # whatever the application made of the body that broke off
            if taken <= BODY_BYTES:
                await send(message)
            elif message["type"] == "http.response.start":
                await refusal(scope, receive, send)

        await self._app(scope, counted, answer)


class Forwarded:
    """Believes X-Forwarded-For and -Proto of `proxies`; who is really at the other end stays known as `state.peer`."""

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            scope.setdefault("state", {})["peer"] = client[0] if client else None
        await self._app(scope, receive, send)  # type: ignore[arg-type]


def _announced(scope: Scope) -> int:
    """The length in the header; 0 where there is none that can be read."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() and len(said) < 20 else 0
