"""gleam reconstruct --memory: what it takes is said, and what does not fit is refused."""

import json

import pytest
from tiny import tiny_scan

from gleam.cli import main
from gleam.cli import reconstruct as verb
from gleam.formats import write_scan
from gleam.planning import inference
from gleam.planning.machine import Machine, machine_of


@pytest.fixture
def scan(tmp_path, monkeypatch):
    machine = Machine(machine_of("cpu").device, False)
    monkeypatch.setattr(inference, "machine_of", lambda name: machine)
    write_scan(tiny_scan(), tmp_path / "scan.h5")
    return tmp_path / "scan.h5"


def reconstruct(scan, *options):
    out = scan.parent / "image.npy"
    return main(["reconstruct", "zero-filled", str(scan), "-o", str(out), *options]), out


def test_the_peak_is_said_before_it_starts(scan, capsys):
    code, out = reconstruct(scan, "--memory", "1GiB", "--json")
    said = capsys.readouterr()
    assert code == 0
    assert out.exists()
    assert "takes 0.1" in said.err
    assert 2**16 < json.loads(said.out)["predicted_peak_bytes"] < 2**20


def test_what_does_not_fit_is_one_line_and_nothing_is_made(scan, monkeypatch, capsys):
    monkeypatch.setattr("gleam.cli.reconstruct.bytes_of", lambda *_: 2**10)
    code, out = reconstruct(scan, "--memory", "1KiB")
    assert code == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "takes" in one]
    assert "its reconstruction by zero-filled takes 0.1" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory", "12"], "reconstruct: --memory is 1MiB or more, as 4GiB; not '12'"),
    ],
)
def test_options_that_cannot_be(scan, options, said, capsys):
    code, out = reconstruct(scan, *options)
    assert code == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_without_it_what_is_short_is_not_looked_at(scan, capsys):
    assert reconstruct(scan)[0] == 0
    assert "takes" not in capsys.readouterr().err


def test_a_checked_image_is_planned_with_its_check(scan, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(verb, "image_of", lambda *given: asked.append(given))
    few = ["--acceleration", "2", "--check", "--memory"]
    monkeypatch.setattr("gleam.cli.reconstruct.bytes_of", lambda *_: 2**10)
    code, out = reconstruct(scan, *few, "1KiB")
    assert code == 2
    assert "its reconstruction by zero-filled takes 0." in capsys.readouterr().err
    assert not asked
    assert not out.exists()
