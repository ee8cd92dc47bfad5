"""What draws the parts of the documents that come from code, and takes their pictures."""
