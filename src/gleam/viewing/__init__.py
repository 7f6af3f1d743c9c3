"""Where to cut an image, and a quick look at it."""
