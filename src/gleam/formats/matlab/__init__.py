"""MATLAB."""
