"""How often a check orders methods as their PSNR does."""

import math

import pytest

from gleam.evaluation.agreement import agreement
from gleam.evaluation.scores import Score
from gleam.reconstruction.checked import Check, Prediction, Range


def scores(scan: str, **psnr: float) -> list[Score]:
    return [Score(method, scan, None, one, one, 0.0, 0.0) for method, one in psnr.items()]


def check(scan: str, learnt: str = "", **errors: float) -> Check:
    methods = tuple(
        Prediction(
            method=method,
            network=False,
            error=Range(value=error),
            against_noise=None,
            beyond_noise=None,
            squares=(error**2,),
            learnt=method == learnt,
            doubts=(),
            seconds=0.0,
        )
        for method, error in errors.items()
    )
    best = min(errors, key=errors.__getitem__)
    return Check(
        scan=scan, pattern="lines", share=0.1, draws=1, energies=(1.0,), noise=None,
        methods=methods, best=best, verdict="",
    )  # fmt: skip


def test_pairs_that_are_apart_are_counted() -> None:
    true = scores("a", net=33.0, wavelet=32.0, cg=31.8)
    true += scores("b", net=30.0, wavelet=31.0, cg=28.0)
    checks = [
        check("a", net=0.2, wavelet=0.3, cg=0.25),  # all right; the last two are level in truth
        check("b", net=0.3, wavelet=0.4, cg=0.5),  # one is wrong
    ]
    found = agreement(true, checks)
    assert (found.pairs, found.right) == (5, 4)


@pytest.mark.parametrize(("gap", "counted"), [(0.49, 0), (0.51, 1), (-0.49, 0), (-0.51, 1)])
def test_half_a_decibel_counts_whichever_is_better(gap: float, counted: int) -> None:
    true = scores("a", one=30 + gap, other=30.0)
    errors = {"one": 0.2, "other": 0.3} if gap > 0 else {"one": 0.3, "other": 0.2}
    found = agreement(true, [check("a", **errors)])
    assert (found.pairs, found.right) == (counted, counted)
    found = agreement(true, [check("a", one=errors["other"], other=errors["one"])])
    assert (found.pairs, found.right) == (counted, 0)


def test_methods_that_are_not_ranked_do_not_count() -> None:
    true = scores("a", net=33.0, wavelet=32.0, cg=30.0)
    found = agreement(true, [check("a", "net", net=0.9, wavelet=0.3, cg=0.4)])
    assert (found.pairs, found.right) == (1, 1)
    broken = scores("a", net=-math.inf, wavelet=3.0)
    assert agreement(broken, [check("a", net=1.0, wavelet=1.0)]).pairs == 0


def test_checks_that_cannot_tell_do_not_count() -> None:
    true = scores("a", net=33.0, wavelet=32.0)
    told = check("a", net=0.9, wavelet=0.3)
    assert agreement(true, [told]).pairs == 1
    assert agreement(true, [told.model_copy(update={"best": None})]).pairs == 0
