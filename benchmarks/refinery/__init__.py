"""Measurements of the refinery: speed, memory, recall and recovery of its stages."""
