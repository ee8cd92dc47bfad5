"""Workflows that are brought along from other systems: read from their files, planned, made."""
