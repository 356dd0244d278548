"""What both programs agree on: tables, manifest, settings, fingerprints and errors."""
