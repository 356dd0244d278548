"""Process groups, collectives and seeds: what every layout stands on."""
