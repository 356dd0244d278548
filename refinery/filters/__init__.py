"""Heuristic rules that mark documents and never remove them."""
