"""Networks travel: to spawned workers, into files of torch.save, through copies."""

import io
import pickle

import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

FAMILIES = {
    "modl": {"family": "modl"},
    "pgd": {"family": "pgd"},
    "reversible": {"family": "reversible"},
    "coupled modl": {"family": "modl", "coupling": True, "cg_tolerance": 1e-3},
    "coupled pgd": {"family": "pgd", "coupling": True},
    "U-Net with gradient and change": {"kind": "unet", "inputs": ("gradient", "change")},
    "periodic cine": {"circular": True, "dimensions": 3},
    "from CG-SENSE": {"first_image": "cg-sense"},
}


@pytest.mark.parametrize("fields", FAMILIES.values(), ids=FAMILIES)
def test_every_family_is_pickled_and_saved_whole(fields):
    network, file = toy_network(**fields), io.BytesIO()
    measurement, _ = toy_measurement(toy_sense())
    expected = network(measurement)
    torch.save(network, file)
    file.seek(0)
    for other in (pickle.loads(pickle.dumps(network)), torch.load(file, weights_only=False)):
        assert torch.equal(other(measurement), expected)
