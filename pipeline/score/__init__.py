"""Stories to Scores."""
