"""Build the arms of an ablation from the tables of a finished run."""
