"""The command that shows what the units of a layer see."""
