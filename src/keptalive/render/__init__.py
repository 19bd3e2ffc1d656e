"""From results to what a person sees: builds tables and text, never prints."""
