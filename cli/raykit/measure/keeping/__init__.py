"""What is done with records that are kept: listed, chosen for deletion."""
