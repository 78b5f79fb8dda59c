"""The frozen dataclasses that every part of Kowalski speaks."""
