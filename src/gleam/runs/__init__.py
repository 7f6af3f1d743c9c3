"""A run's life: prepared, trained step by step, written down, resumed, and read again.

It imports the algorithm, processes, networks and data; what is done with a finished run is above.
Begin at `train`, the loop; `learner` takes a step, `setup` prepares, `journal` writes down, and
`folder` names the files.
"""
