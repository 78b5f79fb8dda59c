"""What the agent keeps on disk: the journal and the blobs."""
