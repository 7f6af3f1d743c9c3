"""gleam export: a run's network as a folder, a .pt2 or an .onnx file."""

import json

from gleam.cli.options.export import Arguments
from gleam.exporting import export

_CONSISTENT = {
    True: "final data consistency is in it",
    False: "there is no data consistency after its last regulariser",
    None: "whether data consistency ends it, only the network knows",
}


def main(a: Arguments) -> None:
    """Run the verb."""
    facts = export(a.run, a.to, a.axes, a.force)
    if a.json:
        known = facts.model_dump(include={"words", "axes", "sets", "inputs", "consistent"})
        print(json.dumps({"out": str(a.to)} | known))
        return
    print(f"{a.to}: {facts.words}; {_CONSISTENT[facts.consistent]}")
