"""What each piece of evidence is worth: the same figures without it."""
