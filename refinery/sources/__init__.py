"""Readers: archives and files on any storage to one row per fetched document."""
