"""PMTiles archives: layers written to one file, kept in a folder or on S3, served by ranges."""
