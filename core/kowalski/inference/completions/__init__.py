"""The chat completions API over HTTP, which every server here speaks."""
