"""The pure cursor and the rows of a manifest."""
