"""The `kowalski` command: a face over the engine."""
