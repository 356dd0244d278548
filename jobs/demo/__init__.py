"""The demo corpus: real text that is on every machine with the packages installed."""
