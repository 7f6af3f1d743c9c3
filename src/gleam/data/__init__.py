"""From scans to batches: preparation, example files, and the loader."""
