from pathlib import Path

import pytest
from tiny import prepared, tiny_scan

from gleam.data.example import find, write
from gleam.data.header import VERSION
from gleam.data.versions import check_versions
from gleam.errors import BadInput

# Scale, noise, and the root mean squares of k-space, maps and target, of one and the same scan.
NUMBERS = {4: (0.645816, 0.0251688, 0.178333, 0.382789, 0.434357)}


def test_a_version_makes_the_same_numbers_of_a_scan() -> None:
    """Where this fails, preparation changed: raise its version, and say in docs/versions.md why."""
    example = prepared(tiny_scan(slices=1, coils=6, oversampling=1))
    one = example[0]
    assert one.target is not None
    sizes = [float(x.abs().square().mean().sqrt()) for x in (one.kspace, one.maps, one.target)]
    found = (example.header.scale, example.header.noise, *sizes)
    assert found == pytest.approx(NUMBERS[VERSION], rel=1e-3)


def test_examples_of_one_version_go_together(tmp_path: Path) -> None:
    example = prepared(tiny_scan(slices=1))
    for name, version in (("a", VERSION), ("b", VERSION - 1), ("c", VERSION - 1)):
        example.header = example.header.model_copy(update={"version": version})
        write(example, tmp_path / f"{name}.h5")
    new, *old = find(tmp_path, 1)
    assert check_versions([new]) is None
    assert f"made by version {VERSION - 1} of preparation" in (check_versions(old) or "")
    with pytest.raises(
        BadInput, match=rf"c\.h5: was made by version {VERSION - 1} .*a\.h5 by version {VERSION}"
    ):
        check_versions([new, *old])
