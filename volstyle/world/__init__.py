"""Pictures, solids and clips that are made by formula: what networks are trained on."""
