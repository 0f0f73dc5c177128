"""The web pages for analysts."""
