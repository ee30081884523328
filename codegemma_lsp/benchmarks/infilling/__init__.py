"""Measures the quality of suggestions: answers of the engine or of the whole pipeline to tasks, judged by tests and by
similarity."""
