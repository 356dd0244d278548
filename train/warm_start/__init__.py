"""Start from weights that exist: what they are, whether they fit, what is new."""
