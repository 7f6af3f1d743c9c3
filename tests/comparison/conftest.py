from plans import examples, planned, unseen

__all__ = ["examples", "planned", "unseen"]
