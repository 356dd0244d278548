"""Spark transforms that turn raw web documents into token-packed shards."""
