"""What can be known to be wrong before the first task of a run: files, names, folders; no Spark."""
