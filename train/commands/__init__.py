"""Verbs of the trainer, each imported only when called."""
