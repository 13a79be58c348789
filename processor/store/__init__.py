"""Storage in Redis: keys, records, indexes and server-side scripts."""
