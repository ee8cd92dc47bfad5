"""Benchmarks: what FlowPulse costs beside a bare Flask view on the same server."""
