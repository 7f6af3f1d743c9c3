import pytest
from toy_test_set import halfway, toy_batches, ways, zero_filled

from gleam.evaluation.evaluate import Evaluation, evaluate


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    methods = ways(**{"zero-filled": zero_filled, "<b>shrunk</b> & more": halfway})
    return evaluate(methods, toy_batches())
