"""Measurements of this repository; README.md lists each with its question and its result."""
