"""The read-only web page of a store: the answers of the command line, as HTML and as JSON."""
