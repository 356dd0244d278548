"""Objectives: pure functions from packed rows to inputs and labels."""
