"""Programs on the other side of the protocol, which nobody of this project wrote."""
