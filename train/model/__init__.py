"""One readable Transformer, its presets and its initialisation."""
