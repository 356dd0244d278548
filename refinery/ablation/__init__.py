"""One decision of a recipe switched off: what that changes, and what it was worth."""
