"""Outcomes of many scans, said at the end of a verb."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.preparation.jobs import Outcome, Status


def report(
    done: Mapping[Path, Sequence[Outcome]], out: Path, statuses: Sequence[Status], as_json: bool
) -> None:
    """Print it.

    Args:
        done: at least one in all, by the folder that was written to.
        out: what the user called the folder.
        statuses: what may have become of a scan, in the order to say.
        as_json: all of it, as JSON.

    Raises:
        BadInput: all were skipped.
    """
    outcomes = [outcome for some in done.values() for outcome in some]
    skipped = sorted((o for o in outcomes if o.status == "skipped"), key=lambda o: o.source)
    if as_json:
        print(json.dumps([{**vars(o), "source": str(o.source)} for o in outcomes]))
    else:
        for folder, some in done.items():
            counts = (f"{sum(o.status == s for o in some)} {s}" for s in statuses)
            print(", ".join(counts), f"in {folder}")
        for outcome in skipped:
            print(f"  skipped {_called(outcome)}: {outcome.reason}")
        for outcome in sorted(outcomes, key=lambda o: o.source):
            for warning in outcome.warnings:
                print(f"  warning {_called(outcome)}: {warning}")
    if len(skipped) == len(outcomes):
        one = skipped[0]
        raise BadInput(
            f"{out}: none of the scans could be {statuses[0]} ({_called(one)}: {one.reason})"
        )


def _called(outcome: Outcome) -> str:
    return outcome.source.name + (f", part {outcome.part}" if outcome.part else "")
