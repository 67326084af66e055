"""What works on a journal that no bridge has open, or reads beside one: look at it, check it, replay it, rescue it."""
