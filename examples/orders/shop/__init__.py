"""A shop that keeps its orders with Milepost, by a lifecycle of its own."""
