"""Jobs of lifecycles of other shapes than the built-in one: several collections, or none."""
