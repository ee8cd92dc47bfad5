"""Copies of the whole database: made while it is in use, then opened and counted."""
