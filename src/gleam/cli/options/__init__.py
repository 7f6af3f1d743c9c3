"""What can be said to each verb; quick to import, as a help text needs nothing else."""
