"""Replays typing sessions through the real server, and through llama-server as its editors use it."""
