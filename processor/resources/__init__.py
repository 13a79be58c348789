"""Public representations of what is stored: the same for the API, the pages and the command line."""
