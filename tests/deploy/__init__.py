"""How FlowPulse is run elsewhere: containers, units, proxies."""
