"""Text from a trained model: greedy, sampled or by beams, batched, with a key-value cache."""
