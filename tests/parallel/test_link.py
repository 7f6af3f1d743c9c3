from parallel_work import through_a_link
from processes import in_processes

from gleam.parallel.link import AHEAD


def test_images_in_flight_are_bounded_and_who_stops_early_leaves_nobody_waiting() -> None:
    on_their_way, got = in_processes(2, through_a_link, 20, 12)
    assert got == list(range(12))
    assert max(on_their_way) == 2 * AHEAD
