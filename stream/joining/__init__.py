"""The join of predictions with the labels that come for them, sooner or later."""
