"""Tokenizers: training, extension and their identity."""
