"""What the owner of this device has set: where it stands, how it is read, what it means."""
