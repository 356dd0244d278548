"""Studies of the founding text, rerun small: objectives, architectures, schedules, initialisation for depth."""
