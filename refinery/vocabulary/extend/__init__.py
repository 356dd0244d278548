"""Appending tokens to a base tokenizer, with proofs that nothing else changed."""
