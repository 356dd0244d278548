"""Races: this repository against a peer on the same data; a peer side runs in its own environment."""
