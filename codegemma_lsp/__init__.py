"""A language server that completes code at the cursor with Google's CodeGemma."""

__version__ = "0.1.0"
