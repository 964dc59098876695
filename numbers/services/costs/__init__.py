"""What numbers cost: by month, for nothing, at the other provider, and whether that is still so."""
