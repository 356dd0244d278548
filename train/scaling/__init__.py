"""What larger runs will reach, fitted to a ladder of small ones: the law of loss by size and tokens, and how sure it is."""
