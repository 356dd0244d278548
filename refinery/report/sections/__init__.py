"""Sections of the page: each makes HTML of the report's numbers."""
