"""Traces that `milepost traces` gave, taken on the generated code and in the store."""
