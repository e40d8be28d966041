"""What they may ask for."""
