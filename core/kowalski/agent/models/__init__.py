"""Language models as the agent offers them: servers, chats and batches."""
