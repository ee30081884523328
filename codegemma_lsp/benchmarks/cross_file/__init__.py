"""Tasks that need another file, and a measure of how much each source of context helps with them."""
