"""A tokenizer on disk: read, identified, applied."""
