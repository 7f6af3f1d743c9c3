"""`Served`: pages on this machine alone, at an address that nobody guesses.

The server listens to 127.0.0.1, answers below a random path only, and only where it is called by
that address, so that neither other machines nor other pages of the browser can read it.
"""

import secrets
import webbrowser
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gleam.report.page import Page, rendered

HOST = "127.0.0.1"
HTML = "text/html; charset=utf-8"
_START = "index.html"
Answer = Callable[[Mapping[str, str]], tuple[str, bytes] | None]  # query → type, body; None: none


def answers(page: Page) -> dict[str, Answer]:
    """A page and its further ones, as they are served.

    Raises:
        BadInput: jinja2 is not installed.
    """

    def answer(text: str) -> Answer:
        body = text.encode()
        return lambda _: (HTML, body)

    found = {name: answer(text) for name, text in rendered(page, _START).items()}
    return {"": found[_START]} | found


class Served:
    """Pages that are served until they are closed.

    Args:
        answers: by name, below the random path; "" is the page itself.
        port: to listen to; 0 takes one that is free.

    Attributes:
        url: of the page.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, answers: Mapping[str, Answer], port: int = 0) -> None:
        token = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer((HOST, port), _handler(answers, f"/{token}/"))
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_port}/{token}/"
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Show the page in the user's browser, where there is one."""
        webbrowser.open(self.url)

    def wait(self) -> None:
        """Go on serving until the thread ends, or Ctrl-C."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Served":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Served {self.url}>"


def _handler(answers: Mapping[str, Answer], root: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server: ThreadingHTTPServer
        server_version, sys_version = "gleam", ""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            found = None
            port = self.server.server_port
            if url.path.startswith(root) and self.headers.get("Host") == f"{HOST}:{port}":
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                answer = answers.get(url.path.removeprefix(root))
                found = answer and answer(query)
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            kind, body = found
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the terminal is the user's."""

    return Handler
