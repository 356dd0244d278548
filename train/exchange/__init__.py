"""Hugging Face folders: weights as safetensors, configuration and tokenizer; never pickles."""
