import math
from collections.abc import Iterator

import pytest
import torch
from toy_test_set import (
    FRAMES,
    HOSTILE,
    halfway,
    toy_batch,
    toy_batches,
    toy_series,
    ways,
    zero_filled,
)
from toys import toy_network

from gleam.data.batch import Batch
from gleam.errors import BadInput
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.result import Evaluation
from gleam.metrics import magnitude, nmse, psnr_complex, psnr_magnitude, psnr_per_frame, ssim
from gleam.physics.classical import CLASSICAL
from gleam.physics.measurement import Measurement
from gleam.reconstruction.reconstructor import Trained

ZERO = ways(**{"zero-filled": zero_filled})


def test_a_row_per_method_and_slice_and_per_method_and_scan(evaluation: Evaluation) -> None:
    rows = [(s.scan, s.slice) for s in evaluation.slices if s.method == "zero-filled"]
    assert rows == [("a", 0), ("a", 1), ("a", 2), ("b", 0), (HOSTILE, 0)]
    assert len(evaluation.slices) == 2 * len(rows)
    assert [(s.scan, s.slice) for s in evaluation.scans if s.method == "zero-filled"] == [
        ("a", None),
        ("b", None),
        (HOSTILE, None),
    ]


def test_slice_scores_use_the_maximum_of_the_whole_scan(evaluation: Evaluation) -> None:
    first, second, *_ = toy_batches()
    maximum = magnitude(torch.cat([first.target, second.target[:1]])).max().reshape(1)
    image, target = first.measurement.adjoint[1:], first.target[1:]
    score = next(s for s in evaluation.slices if s.scan == "a" and s.slice == 1)
    assert score.psnr_complex == pytest.approx(psnr_complex(image, target).item())
    found, wanted = magnitude(image), magnitude(target)
    assert score.psnr_magnitude == pytest.approx(psnr_magnitude(found, wanted, maximum).item())
    assert score.ssim == pytest.approx(ssim(found, wanted, maximum).item())
    assert score.nmse == pytest.approx(nmse(found, wanted).item())


def test_scan_scores_take_the_volume_at_once(evaluation: Evaluation) -> None:
    first, second, *_ = toy_batches()
    image = torch.cat([first.measurement.adjoint, second.measurement.adjoint[:1]])
    target = torch.cat([first.target, second.target[:1]])
    error = (image - target).abs().square().mean().sqrt()
    score = next(s for s in evaluation.scans if s.scan == "a")
    expected = 20 * math.log10(target.abs().max() / error)
    assert score.psnr_complex == pytest.approx(expected, abs=1e-4)
    found, wanted = magnitude(image), magnitude(target)
    assert score.nmse == pytest.approx(
        ((found - wanted).square().sum() / wanted.square().sum()).item(), rel=1e-5
    )
    # Slices of one size weigh the same, so the SSIM of the volume is the mean of its slices'.
    slices = [s.ssim for s in evaluation.slices if s.scan == "a" and s.method == "zero-filled"]
    assert score.ssim == pytest.approx(sum(slices) / 3, abs=1e-5)


def test_psnr_after_every_iteration(evaluation: Evaluation) -> None:
    last = [s.psnr_complex for s in evaluation.slices if s.method != "zero-filled"]
    worse = evaluation.iterations["<b>shrunk</b> & more"]
    assert len(worse) == 3
    assert worse == sorted(worse, reverse=True)
    assert worse[-1] == pytest.approx(sum(last) / 5)
    assert len(evaluation.iterations["zero-filled"]) == 1
    assert all(seconds > 0 for seconds in evaluation.seconds.values())


def test_who_stops_early_stays_where_it_stopped() -> None:
    calls = iter([1, 3])

    def early(measurement: Measurement) -> Iterator[torch.Tensor]:
        for _ in range(next(calls)):
            yield measurement.adjoint

    batches = [toy_batch(["a"], [0], seed=0), toy_batch(["b"], [0], seed=1)]
    found = evaluate(ways(early=early), batches)
    mean = sum(s.psnr_complex for s in found.slices) / 2
    assert found.iterations["early"] == pytest.approx([mean] * 3)


def test_keeps_every_slice_of_every_scan_to_look_at(evaluation: Evaluation) -> None:
    assert [one.scan for one in evaluation.pictures] == ["a", "b", HOSTILE]
    kept = evaluation.pictures[0]
    assert (kept.numbers, kept.volume, kept.size) == ([0, 1, 2], False, (3, 1, 1, 16, 16))
    first, second, *_ = toy_batches()
    target = torch.cat([first.target, second.target[:1]])[:, 0, 0]
    found = torch.from_numpy(kept.reference.image()[:, 0, 0])
    torch.testing.assert_close(found, target, atol=2e-4, rtol=0)
    image = first.measurement.adjoint[1, 0, 0]
    found = torch.from_numpy(kept.images["zero-filled"].image()[1, 0, 0])
    torch.testing.assert_close(found, image, atol=2e-4, rtol=0)


def test_pictures_are_kept_as_long_as_there_is_room() -> None:
    def kept(room: int) -> list[str]:
        return [one.scan for one in evaluate(ZERO, toy_batches(), room=room).pictures]

    sizes = [one.nbytes for one in evaluate(ZERO, toy_batches()).pictures]
    assert kept(0) == []
    assert kept(1) == ["a"]
    assert kept(sum(sizes[:2])) == ["a", "b"]
    assert kept(sum(sizes)) == ["a", "b", HOSTILE]


def test_pictures_can_be_those_of_some_methods() -> None:
    found = evaluate(ZERO | ways(halfway=halfway), toy_batches(), seen=["halfway"])
    assert [[*one.images] for one in found.pictures] == [["halfway"]] * 3


def test_an_image_that_is_not_finite_is_infinitely_bad() -> None:
    def failing(measurement: Measurement) -> Iterator[torch.Tensor]:
        yield measurement.adjoint * math.nan

    found = evaluate(ways(failing=failing), toy_batches())
    score = found.scans[0]
    assert (score.psnr_complex, score.psnr_magnitude, score.ssim) == (-math.inf,) * 3
    assert score.nmse == math.inf
    assert found.iterations["failing"] == [-math.inf]


def test_an_empty_slice_has_no_relative_scores_but_its_scan_has() -> None:
    batch = toy_batch(["a", "a"], [0, 1])
    batch.target[0] = 0
    found = evaluate(ZERO, [batch])
    assert math.isnan(found.slices[0].psnr_complex)
    assert math.isnan(found.slices[0].nmse)
    assert math.isfinite(found.scans[0].psnr_complex)
    assert found.iterations["zero-filled"] == pytest.approx([found.slices[1].psnr_complex])


def test_a_3d_scan_of_two_map_sets_is_one_example() -> None:
    from gleam.physics.sense import Sense

    random = torch.Generator().manual_seed(0)
    target = torch.randn(1, 2, 1, 5, 8, 9, dtype=torch.complex64, generator=random)
    maps = torch.ones(1, 2, 1, 1, 5, 8, 9, dtype=torch.complex64) / 2
    mask = torch.rand(1, 1, 1, 5, 8, 1, generator=random) > 0.5
    sense = Sense(maps, mask, (-2, -3))
    measurement = Measurement(sense, sense.normal(target))
    batch = Batch(measurement, target, ["volume"], [0], (5, 8, 9))
    found = evaluate(ZERO, [batch])
    assert len(found.slices) == 1
    assert found.slices[0].ssim == found.scans[0].ssim
    (kept,) = found.pictures
    assert (kept.volume, kept.size) == (True, (5, 1, 2, 8, 9))
    shown = torch.from_numpy(kept.reference.image()[:, 0]).transpose(0, 1)
    torch.testing.assert_close(shown, target[0, :, 0], atol=2e-4, rtol=0)
    expected = torch.fft.fftshift(mask[0, 0, 0, :, :, 0])
    assert kept.sampling.equal(expected)


def test_frames_of_a_series_have_a_psnr_each() -> None:
    batch = toy_series()
    found = evaluate(ZERO | ways(halfway=halfway), [batch])
    image, target = batch.measurement.adjoint, batch.target
    rows = [s for s in found.frames if s.method == "zero-filled"]
    assert [(s.scan, s.slice, s.frame) for s in rows] == [
        ("beating", number, frame) for number in (0, 1) for frame in range(FRAMES)
    ]
    expected = psnr_per_frame(image, target).flatten().tolist()
    assert [s.psnr for s in rows] == pytest.approx(expected)
    whole = [s.psnr_complex for s in found.slices if s.method == "zero-filled"]
    for number, psnr in enumerate(whole):  # the series' mean square error is the frames' mean
        own = [10 ** (-s.psnr / 10) for s in rows if s.slice == number]
        assert psnr == pytest.approx(-10 * math.log10(sum(own) / FRAMES), abs=1e-4)


def test_static_scans_have_no_frames(evaluation: Evaluation) -> None:
    assert evaluation.frames == []


def test_a_frame_that_is_not_finite_is_infinitely_bad() -> None:
    def failing(measurement: Measurement) -> Iterator[torch.Tensor]:
        image = measurement.adjoint.clone()
        image[:, :, 2, 0, 0] = math.nan
        yield image

    frames = evaluate(ways(failing=failing), [toy_series()]).frames
    assert [s.frame for s in frames if s.psnr == -math.inf] == [2, 2]


def test_mistakes_are_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match="none is given"):
        evaluate({}, toy_batches())
    with pytest.raises(BadInput, match="no example"):
        evaluate(ZERO, [])
    with pytest.raises(BadInput, match="scan 'a' do not follow each other"):
        evaluate(ZERO, [toy_batch(["a", "b", "a"], [0, 0, 1])])
    cropping = ways(cropping=lambda measurement: iter([measurement.adjoint[..., 2:-2]]))
    with pytest.raises(BadInput, match=r"cropping: .* trained for other data"):
        evaluate(cropping, toy_batches())
    with pytest.raises(BadInput, match="idle: has no iteration"):
        evaluate(ways(idle=lambda measurement: iter([])), toy_batches())


def test_no_graph_is_built() -> None:
    weight = torch.ones((), requires_grad=True)

    def learnt(measurement: Measurement) -> Iterator[torch.Tensor]:
        image = weight * measurement.adjoint
        assert not image.requires_grad
        yield image

    evaluate(ways(learnt=learnt, halfway=halfway), toy_batches())


def test_networks_that_go_on_from_wavelets_are_scored_after_their_iterations() -> None:
    """The first image is what they start from, and no iteration of theirs."""
    network = toy_network(iterations=2, first_image="wavelet")
    batch = toy_batch(["a"], [0])
    assert batch.target is not None
    scored = evaluate({"network": Trained("network", network)}, [batch])
    with torch.no_grad():
        state = network.state.of(CLASSICAL["wavelet"](batch.measurement))
        expected = []
        for iteration in network.iterations:
            state = iteration(state, batch.measurement)
            expected.append(float(psnr_complex(network.image(state), batch.target)))
    assert scored.iterations["network"] == pytest.approx(expected, rel=1e-4)
