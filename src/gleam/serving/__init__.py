"""A reconstruction server for scanners: k-space in, images out, over the MRD streaming protocol."""
