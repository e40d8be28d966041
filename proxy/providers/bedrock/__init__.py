"""Amazon Bedrock: the surfaces it has, each with its own rules."""
