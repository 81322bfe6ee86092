"""Audiences by rule, by list, and what they leave out."""
