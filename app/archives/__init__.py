"""A workspace as one file, which another server takes in."""
