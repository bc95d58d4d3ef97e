//! Layers against PyTorch's, by themselves and in networks that a reader puts together in cells.
