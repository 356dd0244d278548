"""The order of a manifest's rows, and the rows themselves."""
