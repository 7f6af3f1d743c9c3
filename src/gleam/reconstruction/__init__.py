"""Images from measurements: with a trained network, or with a classical method.

It imports runs and all below; scores and pages are above. Begin at `reconstructor`, what every
method is; `reconstruct` takes it over a whole scan.
"""
