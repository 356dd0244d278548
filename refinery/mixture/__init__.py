"""From weights and a token budget to copies per document."""
