"""A page in the browser: files are dropped, the plan is read, the picture sharpens, the result is compared."""
