"""How values are told to people: words and escapes. Anybody imports it; it imports nobody."""
