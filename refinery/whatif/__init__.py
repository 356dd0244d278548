"""Documents of a ledger judged anew under other rules."""
