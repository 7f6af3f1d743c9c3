"""What is said of a check, and how it is kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_check import Oracle
from tiny import ZERO_FILLED

from gleam.errors import BadInput
from gleam.reconstruction.checked import Check, Plan, jackknifed, read, write
from gleam.reconstruction.verdict import Trial, judged

PLAN = Plan(draws=4)
ENERGIES = {draw: [1.0 + draw] for draw in range(4)}


def found(noise: float = 0.01, **errors: float) -> Check:
    """Of methods with relative errors; those whose names begin with net are networks."""
    trials = []
    for name, error in errors.items():
        trial = Trial(name, Oracle(name) if name.startswith("net") else ZERO_FILLED, [], False)
        for draw, (energy,) in ENERGIES.items():
            chance = {0: 0.04, 3: -0.01}.get(draw, 0) * len(trials)  # nothing, on average
            trial.add(draw, error**2 * energy * (1 + chance), 1.0)
        trials.append(trial)
    return judged("scan", PLAN, ENERGIES, [noise * 2.5] * 4, trials)


def test_a_network_that_does_not_suit_a_scan_is_told() -> None:
    check = found(noise=0.0, net=0.4, wavelet=0.2)
    assert check.best == "wavelet"
    assert check["net"].network
    assert not check["wavelet"].network
    assert (
        "net does not suit this scan: wavelet predicts it twice as well; adapt it" in check.verdict
    )
    assert "twice as well" not in found(noise=0.0, net=0.25, wavelet=0.2).verdict
    assert "wavelet predicts it 25 % better" in found(noise=0.0, net=0.25, wavelet=0.2).verdict


def test_noise_is_no_fault_of_a_method() -> None:
    """Both have that of the samples; what is beyond it is compared."""
    check = found(noise=0.04, net=0.25, wavelet=0.21)
    assert check.noise == pytest.approx(0.2)
    assert check["net"].against_noise == pytest.approx(1.25, rel=0.05)
    assert check["net"].beyond_noise == pytest.approx(((0.0625 - 0.04) / 0.96) ** 0.5, rel=0.05)
    assert "2.3 times as well" in check.verdict


def test_what_chance_explains_is_no_difference() -> None:
    check = found(net=0.2, wavelet=0.2001)
    assert "predicts it about as well" in check.verdict
    assert "does not suit" not in check.verdict


def test_noise_alone_and_guesses_are_called_so() -> None:
    drowned = found(noise=0.98, net=1.0, wavelet=0.99)
    assert drowned.best is None
    assert "next to nothing but noise" in drowned.verdict
    guessed = found(net=0.98, wavelet=1.0)
    assert guessed.best is None
    assert "hardly better than by an empty image" in guessed.verdict
    assert found(net=0.8, wavelet=1.0).best == "net"


def test_the_interval_is_the_jackknife_of_the_ratio() -> None:
    """Against its definition, written a second time."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, 6), rng.uniform(1, 2, 6)
    logs = np.array([0.5 * np.log(np.delete(a, i).sum() / np.delete(b, i).sum()) for i in range(6)])
    reach = np.exp(2.570582 * np.sqrt(5 / 6 * ((logs - logs.mean()) ** 2).sum()))
    ratio = jackknifed([*a], [*b])
    value = np.sqrt(a.sum() / b.sum())
    assert ratio.value == pytest.approx(value)
    assert ratio.low == pytest.approx(value / reach, rel=1e-5)
    assert ratio.high == pytest.approx(value * reach, rel=1e-5)
    assert jackknifed([1.0], [2.0]).low is None


@pytest.mark.parametrize("draws", [1, 2])
def test_too_few_draws_for_an_interval_are_said_not_shown(draws: int) -> None:
    """Two draws that are much alike, and methods much apart, would be called as good."""
    energies = {draw: [1.0 + draw] for draw in range(draws)}
    trials = []
    for name, error in (("net", 0.4), ("wavelet", 0.2)):
        trials.append(Trial(name, Oracle(name) if name == "net" else ZERO_FILLED, [], False))
        for draw, (energy,) in energies.items():
            trials[-1].add(draw, error**2 * energy * (1 + 0.1 * draw * len(trials)), 1.0)
    check = judged("scan", Plan(draws=draws), energies, [0.0] * draws, trials)
    assert check.best == "wavelet"
    assert all(one.error.low is None for one in check.methods)
    assert check.ratio("net", "wavelet").low is None
    assert "about as well" not in check.verdict
    assert "does not suit" not in check.verdict
    counted = "1 draw" if draws == 1 else "2 draws"
    assert "net has an error of 0.4" in check.verdict
    assert check.verdict.endswith(f"How sure that is, {counted} cannot tell; 3 or more can.")
    alone = judged("scan", Plan(draws=draws), energies, [0.0] * draws, trials[:1])
    assert "cannot tell" not in alone.verdict


def test_a_check_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    checks = [found(net=0.4, wavelet=0.2), found(noise=float("nan"), net=0.4)]
    write(path, checks)
    assert read(path) == checks
    assert checks[1].noise is None
    assert "how much of it is noise is not known" in checks[1].verdict
    content = json.loads(path.read_text())
    content[0]["version"] = 99
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"version 99, this program knows 1"):
        read(path)
    for broken in ("", "{}", "[1]", '[{"version": 1}]'):
        path.write_text(broken)
        with pytest.raises(BadInput, match=r"broken, or no check\.json"):
            read(path)
