import os
import signal
import time

import pytest

from gleam.cli import VERBS, main


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("verb", VERBS)
def test_signal_ends_a_verb_in_one_line(
    verb: str,
    number: signal.Signals,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    undone = []

    def work(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            undone.append(verb)

    monkeypatch.setattr("gleam.cli.options.read", work)
    before = signal.getsignal(number)
    assert main([verb]) == code
    assert capsys.readouterr() == ("", "gleam: interrupted\n")
    assert undone == [verb]
    assert signal.getsignal(number) == before
