"""Rules that span fields, by what they are about."""
