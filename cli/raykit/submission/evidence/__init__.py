"""What a head tells about itself and its Ray nodes, for an archive of evidence."""
