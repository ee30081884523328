"""``eval quiet``: moments at which nothing should be shown."""
