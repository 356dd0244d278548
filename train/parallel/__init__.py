"""Parallel strategies: how a model and its batch are split over ranks."""
