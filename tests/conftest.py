"""Makes the modules of this folder, models shared by several test folders, importable in every test."""
