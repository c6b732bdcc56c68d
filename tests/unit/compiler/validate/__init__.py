"""Generated modules are proved to say what their definitions say."""
