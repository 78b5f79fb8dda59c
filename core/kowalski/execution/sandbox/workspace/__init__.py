"""What becomes of the files of a workspace inside a sandbox."""
