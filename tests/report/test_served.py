"""Pages that are served: to this machine, below a path that nobody guesses."""

import http.client
from urllib.parse import urlsplit

import pytest

from gleam.report.served import Served


def asked(url: str, path: str, host: str | None = None) -> tuple[int, bytes]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_page_is_below_its_random_path_only() -> None:
    answers = {
        "": lambda _: ("text/html", b"page"),
        "part": lambda query: ("text/plain", query["n"].encode()),
    }
    with Served(answers) as one, Served(answers) as other:
        root = urlsplit(one.url).path
        assert one.url.startswith("http://127.0.0.1:")
        assert len(root) > 20
        assert asked(one.url, root) == (200, b"page")
        assert asked(one.url, f"{root}part?n=5") == (200, b"5")
        for path in ("/", "/part", urlsplit(other.url).path, f"{root}../part", f"{root}nothing"):
            assert asked(one.url, path)[0] == 404


def test_other_names_of_this_machine_are_not_answered() -> None:
    """So no other page of the browser, whose name leads here, can read it."""
    with Served({"": lambda _: ("text/html", b"page")}) as served:
        root = urlsplit(served.url).path
        for host in ("example.org", "localhost:80", "127.0.0.1"):
            assert asked(served.url, root, host)[0] == 404


def test_after_closing_nobody_answers() -> None:
    served = Served({"": lambda _: ("text/html", b"page")})
    served.close()
    with pytest.raises(OSError):  # noqa: PT011 (of several kinds)
        asked(served.url, urlsplit(served.url).path)
