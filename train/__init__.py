"""A torch trainer for T5, BERT and GPT that reads the manifest of the refinery."""
