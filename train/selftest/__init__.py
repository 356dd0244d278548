"""Proofs that every parallel strategy trains as one process does."""
