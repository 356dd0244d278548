"""Unicode repair, emoji and symbols to words: each step counted and idempotent."""
