"""One compiled pass over a page: from its bytes to tags and text."""
