"""Model quality, as Model Monitor has it: predictions against the labels that came, and what they may be
before any came. States that merge; no I/O, no clock."""
