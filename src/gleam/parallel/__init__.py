"""Processes that train one network together: modules in a pipeline, replicas, and how they meet.

It imports the algorithm and torch.distributed; a run's files are above. Begin at `neighbours`, what
other processes are to one that trains; `group` says who there is.
"""
