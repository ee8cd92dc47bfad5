"""What an API key opens for writing: from a request to an event on disk."""
