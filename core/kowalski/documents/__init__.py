"""Markdown documents: find the code in them."""
