"""`raykit validate`: files and folders in, every problem with its place out."""
