"""What a measurement allows one to say: intervals, paired comparisons, many tasks, several seeds."""
