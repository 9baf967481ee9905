"""Detection against merely decoding the same scene, and the memory it takes."""
