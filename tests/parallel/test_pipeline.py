import pytest

from gleam.parallel.neighbours import Note
from gleam.parallel.pipeline import packed, unpacked


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(True, ("loss", 0), 2**40 + 1, {0: 0.1, 1: float("inf")}, {}),
        Note(False, ("weight", 7), 0, {0: 1e-45}, {0: 0.1 + 0.2, 1: -3.0}),
        Note(losses={0: 0.5, 2: 0.25}, psnr={0: 30.0}, stopped={1: 2**40 + 1}),
    ],
)
def test_note_arrives_as_it_was_sent(note: Note) -> None:
    assert unpacked(packed(note, 16)) == note


def test_loss_that_is_not_a_number_arrives_too() -> None:
    (loss,) = unpacked(packed(Note(losses={0: float("nan")}), 9)).losses.values()
    assert loss != loss
