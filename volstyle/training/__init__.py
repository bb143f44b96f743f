"""How the networks in the package are made: from images made by formula, of which there is no end."""
