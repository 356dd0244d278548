"""Proofs that every layout trains as one process does."""
