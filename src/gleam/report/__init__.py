"""Everything that is published of runs."""
