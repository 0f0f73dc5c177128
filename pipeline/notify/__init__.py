"""Alerts to Messages and Notifications."""
