"""Typing sessions replayed through the real server, beside llama-server driven as its editors drive it."""
