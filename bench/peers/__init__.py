"""Other gateways to be measured beside ours: where they come from, how they are set up."""
