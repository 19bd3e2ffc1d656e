"""What a person sees on a terminal; built here, printed by `cli`."""
