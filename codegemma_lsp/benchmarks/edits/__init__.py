"""Judges chat and edits: whether fixes, instructions, documentation, tests, new code and answers are right."""
