from plans import examples, planned, unseen
from toy_test_set import evaluation

__all__ = ["evaluation", "examples", "planned", "unseen"]
