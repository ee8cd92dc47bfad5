"""The documents' commands: each is run by a test, or it is said why not."""
