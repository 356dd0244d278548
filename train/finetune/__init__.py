"""Fine-tuning as an evaluation: published protocols, rates chosen on dev, seeds, figures on test."""
