"""The rows of tokens that an extended tokenizer adds, and training of these rows alone."""
