"""What is particular to clips, volumes, images and signals."""
