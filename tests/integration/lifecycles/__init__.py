"""The compiler on the lifecycles of real schedulers."""
