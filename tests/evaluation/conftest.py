from toy_test_set import evaluation

__all__ = ["evaluation"]
