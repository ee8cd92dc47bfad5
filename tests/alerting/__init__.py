"""Tests of app/alerting/."""
