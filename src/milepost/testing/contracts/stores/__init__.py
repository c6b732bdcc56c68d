"""The contract of a store, in parts: each a class of tests, and all of them together."""
