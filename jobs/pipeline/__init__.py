"""What runs stages: fingerprints, records, progress, cost."""
