"""Feeds to Articles, Stories and Mentions."""
