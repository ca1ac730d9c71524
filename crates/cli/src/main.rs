//! The `vnflab` command.
fn main() {}
