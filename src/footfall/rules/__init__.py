"""`footfall rules`: what those who write rules do with their files, without a broker."""
