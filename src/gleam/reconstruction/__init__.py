"""From a measurement to an image: with a trained network, or with the classical baselines."""
