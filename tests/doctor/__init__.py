"""Tests of what the doctor and the probes find."""
