//! Style as a test: layering, sizes, module comments.
