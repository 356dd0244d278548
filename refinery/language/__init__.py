"""Language identification with fastText lid.176."""
