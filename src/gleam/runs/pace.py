"""The pace of a training, and what it waits for."""

from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

from gleam.amounts import rounded

_BEGINNING = 2  # steps that make optimizers' states, plan transforms and are metered


class Pace:
    """The pace of the steps since it was last told, and of all.

    Args:
        batch: slices of a step.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._seconds: list[float] = []
        self._waited: list[float] = []
        self._losses: dict[str, list[float]] = defaultdict(list)
        self._told = 0

    def add(self, losses: Mapping[int, float], seconds: float, waited: float) -> None:
        """A step is done.

        Args:
            losses: by module.
            seconds: that it took, once its batch was there.
            waited: seconds until its batch was there.
        """
        self._seconds.append(seconds)
        self._waited.append(waited)
        for module, loss in losses.items():
            self._losses[str(module)].append(loss)

    @property
    def untold(self) -> int:
        """Steps since it was last told."""
        return len(self._seconds) - self._told

    def tell(self) -> dict[str, Any]:
        """Facts about the steps since it was last told, for an event `steps`."""
        losses, first = dict(self._losses), self._told
        self._losses.clear()
        self._told = len(self._seconds)
        return {"losses": losses, **self._speed(first)}

    def whole(self) -> dict[str, float]:
        """The same speeds of all steps but the first ones, which are slower."""
        return self._speed(_BEGINNING if len(self._seconds) > _BEGINNING else 0)

    def _speed(self, first: int) -> dict[str, float]:
        seconds, waited = self._seconds[first:], self._waited[first:]
        if not seconds:
            return {}
        passed = sum(seconds) + sum(waited)
        return {
            "ms_per_step": round(1e3 * median(seconds), 3),
            "slices_per_second": round(self._batch * len(seconds) / passed, 3) if passed else 0.0,
            "waiting": round(sum(waited) / passed, 4) if passed else 0.0,
        }


def in_words(summary: Mapping[str, Any]) -> str:
    """The pace of a run in words, by its summary.json; what that does not know is left out."""
    s = summary
    phrases = [f"{rounded(1e3 * s['seconds_per_step'], 3)} ms per step"]
    if "waiting" in s:
        phrases += [f"{rounded(s['slices_per_second'], 3)} slices per second"]
        phrases += [f"{100 * s['waiting']:.0f} % of the time waiting for data"]
    phrases += [f"{s['peak_memory_bytes'] / 2**20:.0f} MiB at most"]
    known = enumerate(s.get("stopped", ()))
    early = [f"{module} after {step} steps" for module, step in known if step is not None]
    if early:
        phrases += [f"modules (counted from 0) that stopped early: {', '.join(early)}"]
    if "device" not in s:
        return ", ".join(phrases)
    graph = ", as CUDA graphs" if s["graph"] else ""
    return f"on {s['device']}, in {s['precision']}{graph}: {', '.join(phrases)}"
