# SPDX-License-Identifier: Apache-2.0
"""All runs as pages for one person on this machine: a list to search, every report, two runs compared, the history.

It listens on the loopback address alone. Other users of the machine can reach that too, and so can pages that a
browser shows from elsewhere, so every request must bring a secret: once in the address that the command prints, then in
a cookie. A request whose Host is not this machine is refused: that is how a name rebound to 127.0.0.1 fails.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.bench import merge
from harness.bench.shelf import Shelf
from harness.errors import UsageError
from harness.report import export, page
from harness.report.catalogue import Catalogue

HOST = "127.0.0.1"
HOME = "/"

HEADERS = {
    "Content-Security-Policy": page.policy("'self'") + "; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Lets in who knows the token, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        self.app, self.token, self.cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        offered = request.query_params.get("token")
        answer: ASGIApp = self.app
        if offered is not None and self._right(offered):
            rest = [(key, value) for key, value in request.query_params.multi_items() if key != "token"]
            answer = RedirectResponse(request.url.path + (f"?{urlencode(rest)}" if rest else ""), 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="lax")
        elif not self._right(request.cookies.get(self.cookie, "")):
            answer = _message(
                "Not for everyone", "Open the address that ./inv report.serve printed: it holds the key.", 403
            )

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        await answer(scope, receive, with_headers)

    def _right(self, offered: str) -> bool:
        return secrets.compare_digest(offered.encode(), self.token.encode())


class Site:
    """The pages, and the socket that they are served on.

    Attributes:
        address: what opens the list of runs; it holds the token.
    """

    def __init__(self, shelf: Shelf, port: int = 0) -> None:
        """
        Raises:
            UsageError: the port is taken.
        """
        self._catalogue = Catalogue(shelf)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            self._socket.listen()  # from now on a browser waits, even if the server is not yet up
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise UsageError(f"Port {port} cannot be had: {error}.", "", "Leave --port out for a free one.") from None
        self.port: int = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(32)
        self.address = f"http://{HOST}:{self.port}{HOME}?token={token}"
        routes = {
            "/": self.index,
            "/history": self.history,
            "/compare": self.compare,
            "/run/{id}": self.report,
            "/run/{id}/{format}": self.export,
        }
        # Cookies know no ports: the name tells two servers apart.
        guard = Middleware(Guard, token=token, cookie=f"bitrig-{self.port}")
        self.app = Starlette(
            routes=[Route(path, _polite(answer)) for path, answer in routes.items()],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), guard],
            exception_handlers={404: lambda *_: _message("Nothing here", "There is no such page.", 404)},
        )

    def run(self) -> None:
        """Serves until it is interrupted."""
        config = uvicorn.Config(self.app, log_level="critical", access_log=False, lifespan="off", ws="none")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[self._socket])

    def index(self, request: Request) -> Response:
        query = request.query_params.get("q", "")
        found, total = self._catalogue.search(query)
        return _page("runs.html.j2", "Runs", here="runs", entries=found, total=total, query=query)

    def report(self, request: Request) -> Response:
        run = self._catalogue.load(request.path_params["id"])
        return HTMLResponse(page.render(run, self._catalogue.before(run), HOME))

    def export(self, request: Request) -> Response:
        run, form = self._catalogue.load(request.path_params["id"]), request.path_params["format"]
        if form not in export.FORMATS:
            raise UsageError(f"There is no format {form!r}.", "", f"There are {', '.join(export.FORMATS)}.")
        return PlainTextResponse(export.FORMATS[form](run))

    def compare(self, request: Request) -> Response:
        chosen = sorted(request.query_params.getlist("run"))
        if len(chosen) != 2:
            raise UsageError(f"Comparing takes two runs, not {len(chosen)}.", "", "Choose two of the list.")
        old, new = map(self._catalogue.load, chosen)
        merged = merge.merge(old, new, f"{old.id}..{new.id}")
        command = ("./inv", "compare", "--baseline", old.id, "--candidate", new.id)
        return HTMLResponse(page.render(merged.model_copy(update={"command": command}), home=HOME))

    def history(self, request: Request) -> Response:
        device, model = (request.query_params.get(name, "") for name in ("device", "model"))
        charts = self._catalogue.history(device, model)
        return _page("trends.html.j2", "History", here="history", value=charts, device=device, model=model)


def _polite(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A user's mistake becomes a page that says so."""

    def guarded(request: Request) -> Response:
        try:
            return answer(request)
        except UsageError as error:
            return _message(error.what, f"{error.why} {error.remedy}".strip(), 400)

    return guarded


def _page(template: str, title: str, **values: object) -> Response:
    return HTMLResponse(page.document(template, title, HOME, **values))


def _message(what: str, more: str, status: int) -> Response:
    return HTMLResponse(page.document("message.html.j2", what, HOME, here="", what=what, more=more), status)
