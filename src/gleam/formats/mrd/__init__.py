"""MRD (ISMRMRD)."""
