"""The commands, one module each: parse, ask the read model, answer."""
