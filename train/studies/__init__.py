"""Studies: tables of runs that differ in named settings and end in a verdict with an interval."""
