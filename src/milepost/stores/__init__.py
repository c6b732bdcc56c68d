"""Where rows are kept: stores know their medium, no job, nor each other. For state and above."""
