"""What FlowPulse is made of: its list (`sbom`), whether any of it is known to be unsafe, and how a
version of it is released."""
