"""Who this process is, also after a fork. Anybody imports it; it imports nobody."""
