"""Channels: how messages reach people, and the outbox that they wait in."""
