"""From recordings to an installed voice. Nothing of this is imported at run time."""
