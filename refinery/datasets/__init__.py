"""Datasets on disk: published, verified, traced."""
