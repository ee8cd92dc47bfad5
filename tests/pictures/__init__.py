"""The documents' pictures, taken of a real server: `make screenshots`."""
