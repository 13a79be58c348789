"""Public representations of stored records, shared by the API, the pages and the command line."""
