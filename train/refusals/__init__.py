"""What settings cannot do together, asked before anything is started or written."""
