"""Training a tokenizer of any kind on counted clauses."""
