"""A page in the browser, on which files are dropped, styled, watched as they change, and compared."""
