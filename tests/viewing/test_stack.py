import numpy as np
import pytest

from gleam.viewing.stack import HIGHEST, Stack


def noisy(*shape: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(np.complex64)


@pytest.mark.parametrize("size", [(3, 1, 1, 5, 7), (2, 4, 2, 6, 1), (1, 1, 1, 1, 1)])
def test_an_image_comes_back_to_half_a_level(size: tuple[int, ...]) -> None:
    image = noisy(*size)
    stack = Stack.of(image)
    assert (stack.size, len(stack.planes)) == (size, size[0] * size[1])
    largest = max(np.abs(image.real).max(), np.abs(image.imag).max())
    assert stack.step == pytest.approx(largest / HIGHEST)
    error = stack.image() - image
    assert max(np.abs(error.real).max(), np.abs(error.imag).max()) <= 0.51 * stack.step


def test_nothing_is_lost_after_the_levels() -> None:
    once = Stack.of(noisy(2, 1, 1, 9, 8))
    again = Stack.of(once.image())
    assert again.planes == once.planes


def test_what_is_not_finite_is_brighter_than_all_else_and_spoils_nothing() -> None:
    image = noisy(1, 1, 1, 4, 4)
    image[0, 0, 0, 1, 2] = np.nan
    image[0, 0, 0, 3, 3] = np.inf
    shown = Stack.of(image).image()
    finite = np.isfinite(image)
    np.testing.assert_allclose(shown[finite], image[finite], atol=1e-3)
    assert np.abs(shown[~finite]).min() >= np.abs(image[finite]).max()


def test_an_empty_image_is_black() -> None:
    image = np.zeros((1, 1, 1, 3, 4), np.complex64)
    assert not Stack.of(image).image().any()


def test_real_images_take_no_room_for_what_they_do_not_have() -> None:
    image = noisy(1, 1, 1, 64, 64)
    assert Stack.of(image.real.astype(np.complex64)).nbytes < 0.6 * Stack.of(image).nbytes
