"""One offline HTML page, and its JSON twin, from committed tables."""
