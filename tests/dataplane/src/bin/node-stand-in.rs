//! `node-stand-in`: a stand-in for a node with Cilium, for the command line.
//!
//! It starts the node in the namespace that it is started in, says so, and waits for the end.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> ExitCode {
    linux::main().await
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;
    // Without standard error there is no other place to say it.
    let _ = writeln!(std::io::stderr(), "error: node-stand-in needs Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::io::{self, Write as _};
    use std::net::Ipv4Addr;
    use std::process::ExitCode;

    use bigip_sim::netns::Namespace;
    use bigip_sim::shutdown::Shutdown;
    use bigip_tunnel_dataplane::{Node, Vtep, VtepTable};
    use clap::Parser;

    /// Stands in for a node with Cilium: takes VXLAN on UDP 8472, answers ARP for its pods, and has them answer pings and
    /// HTTP
    #[derive(Debug, Parser)]
    #[command(name = "node-stand-in")]
    struct Args {
        /// Address of the node, which its network namespace has to have
        #[arg(long)]
        address: Ipv4Addr,

        /// Address of a pod on the node; repeatable
        #[arg(long = "pod", value_name = "ADDRESS")]
        pods: Vec<Ipv4Addr>,

        /// Entry of the VTEP configuration; repeatable
        #[arg(long = "vtep", value_name = "NETWORK=ENDPOINT=MAC")]
        vteps: Vec<Vtep>,

        /// Prefix length of `vtep-mask`
        #[arg(long, value_name = "BITS", default_value_t = 24, value_parser = clap::value_parser!(u8).range(..=32))]
        mask_length: u8,

        /// Answer ARP with the MAC address 0, as Cilium does without the fix of cilium#44453
        #[arg(long)]
        arp_mac_zero: bool,

        /// End when standard input does
        #[arg(long)]
        exit_with_stdin: bool,
    }

    pub(super) async fn main() -> ExitCode {
        match run(&Args::parse()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Without standard error there is no other place to say it.
                let _ = writeln!(io::stderr(), "error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
        // First, so that a signal right after the line below is not lost.
        let shutdown = Shutdown::watch(args.exit_with_stdin)?;
        let table = VtepTable::new(args.mask_length, &args.vteps);
        let node = Node::start(&Namespace::current()?, args.address, table)?;
        if args.arp_mac_zero {
            node.answer_arp_with_mac_zero();
        }
        for pod in &args.pods {
            node.add_pod(*pod);
        }
        let mut stdout = io::stdout();
        writeln!(stdout, "node {} listens", args.address)?;
        stdout.flush()?;
        shutdown.requested().await;
        Ok(())
    }
}
