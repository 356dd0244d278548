"""Whether settings that were found at a small size hold at a larger one: the coordinate check of muP and CompleteP."""
