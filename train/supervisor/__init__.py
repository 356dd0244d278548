"""A run that looks after itself: ranks that are forked, watched, judged and started again."""
