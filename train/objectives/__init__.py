"""Objectives: packed rows to inputs and labels, as pure functions."""
