"""The read model: what people ask about jobs, as plain data and as text, JSON and drawings."""
