"""One photograph styled in many ways, on one sheet, to choose from."""
