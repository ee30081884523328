"""Measures the quality of suggestions, by running infilled programs, and their cost, in typing sessions."""
