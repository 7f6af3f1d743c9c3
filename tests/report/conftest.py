from browser import chromium, series_page, show, slices_page
from plans import examples, planned, unseen
from toy_test_set import evaluation

__all__ = [
    "chromium",
    "evaluation",
    "examples",
    "planned",
    "series_page",
    "show",
    "slices_page",
    "unseen",
]
