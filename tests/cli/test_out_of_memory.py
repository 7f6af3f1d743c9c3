"""A verb that finds no memory says so in one line, and ends with 1."""

import pytest
import torch
from test_memory import GPU

from gleam.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_out_of_memory_is_one_line(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> None:
        raise torch.OutOfMemoryError(GPU)

    monkeypatch.setattr("gleam.cli.options.read", lambda *_: None)
    monkeypatch.setattr(f"gleam.cli.{verb}.main", refuse)
    assert main([verb]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    asked = "out of memory: 20.00 GiB more were asked for of 79.11 GiB in all; "
    assert line.startswith(f"gleam: {verb}: {asked}")
    assert len(line) > len(f"gleam: {verb}: {asked}") + 10


def test_what_went_wrong_otherwise_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a shape that does not fit")

    monkeypatch.setattr("gleam.cli.options.read", lambda *_: None)
    monkeypatch.setattr("gleam.cli.demo.main", broken)
    with pytest.raises(RuntimeError, match="does not fit"):
        main(["demo"])
