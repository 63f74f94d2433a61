"""Where a year's data comes from: a folder, a web server, or an object store."""
