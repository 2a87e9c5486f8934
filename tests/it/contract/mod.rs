//! What holds for every operation of both specs.
