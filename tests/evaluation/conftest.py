import pytest
from toy_test_set import halfway, toy_batches, zero_filled

from gleam.evaluation.evaluate import Evaluation, Method, evaluate


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    methods = [Method("zero-filled", zero_filled), Method("<b>shrunk</b> & more", halfway)]
    return evaluate(methods, toy_batches())
