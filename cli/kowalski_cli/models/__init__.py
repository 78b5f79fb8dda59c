"""Language models in the terminal: prompts, answers, and the servers that have them."""
