"""From a scan to an example file."""
