"""OpenAI-compatible servers, and the kinds of them that tell more."""
