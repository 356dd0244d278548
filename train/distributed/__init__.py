"""Process groups, collectives and seeds: what every parallel strategy stands on."""
