"""Alerting: rules look at what happens, open and end alerts, and decide what is told of them."""
