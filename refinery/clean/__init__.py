"""The clean stage: payloads to cleaned documents, untrusted work in a guarded child."""
