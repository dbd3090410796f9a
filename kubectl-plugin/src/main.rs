//! The program. What it does is the library's business, so that the reference can be made of it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_bigip_tunnel::main()
}
