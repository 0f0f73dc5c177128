"""The web pages and the JSON API for analysts; see app.create_app."""
