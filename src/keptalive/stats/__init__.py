"""Medians, intervals and two samples: statistics only."""
