"""The `refinery` command: one module per verb, imported only when its verb is called."""
