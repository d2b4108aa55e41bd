"""Stage normalize: grey values made comparable, defective sections found and mended."""
