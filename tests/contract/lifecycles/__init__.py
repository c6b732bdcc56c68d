"""What holds of every lifecycle, whatever its names and its shape."""
