"""HTML to text, behind a guard that survives hostile pages."""
