"""The commands that style: an order is read, carried out, recorded, and done again."""
