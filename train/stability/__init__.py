"""Loss spikes: what counts as one, what is done about it, and how often a rule errs."""
