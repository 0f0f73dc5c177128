"""Scores to Windows, Spikes and Alerts."""
