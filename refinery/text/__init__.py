"""Batches of text as arrays of code points, and edits of them."""
