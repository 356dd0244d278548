"""What objectives make and models take, and losses as sums."""
