"""What is minimized: statistics of features, and the terms made of them."""
