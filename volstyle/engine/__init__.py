"""From a content, styles and a recipe to a result."""
