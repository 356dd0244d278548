"""Offline pages of the refinery and the trainer: frame, tables, charts. It knows neither of them."""
