"""Dossiers 档案: everything known about one intake or one permit, on screen, on paper, by link."""
