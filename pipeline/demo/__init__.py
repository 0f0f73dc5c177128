"""The recorded wire and the server that plays it."""
