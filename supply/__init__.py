"""What FlowPulse is made of: its list (`sbom`), and whether any of it is known to be unsafe."""
