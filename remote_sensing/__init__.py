"""What does the image say? Scene and registered intakes → candidates: no web, no database."""
