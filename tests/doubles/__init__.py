"""Stand-ins for programs that Kowalski speaks to, on real sockets."""
