"""Process groups and layouts."""
