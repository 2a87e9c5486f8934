//! The `quietline` program. Everything it does is in the library's `cli`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// SQLite's writer thread frees memory that a request's worker allocated. In the C library's
// allocator both wait for each other, which costs a sixth of the processor time of a change.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    quietline::cli::run()
}
