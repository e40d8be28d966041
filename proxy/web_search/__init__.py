"""The search tool of models whose provider has none: asked, searched, answered, told."""
