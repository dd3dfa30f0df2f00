"""Best launch parameters: what may be varied (space), the search (search), doing it (tuner), what is kept (kept)."""
