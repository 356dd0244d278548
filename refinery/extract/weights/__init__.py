"""Trained weights of the block classifier, and where they come from."""
