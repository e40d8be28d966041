"""What the operator sees: metrics and logs."""
