"""Batches of text as arrays of code points, boundaries of words and sentences, and edits."""
