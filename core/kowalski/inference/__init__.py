"""Language models: exo clusters, OpenAI-compatible servers, and the pool that they form."""
