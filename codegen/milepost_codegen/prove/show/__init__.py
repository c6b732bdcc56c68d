"""What a check found, as people and tools see it: text, JSON, SARIF, a program, a picture."""
