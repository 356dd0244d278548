"""Texts, pages and datasets that measurements read: generated from seeds or cut from files."""
