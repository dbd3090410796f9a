//! `bigip-conformance`: asks a BIG-IP whether it does what the fixtures say.
//!
//! Reads only, unless a throw-away tunnel is named to be written to.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, iter};

use bigip_sim::conformance::{
    self, Allowed, Credentials, Evidence, Finding, FixtureResult, Pin, Report, Target, Trust,
};
use clap::{Parser, ValueEnum};

const LONG_ABOUT: &str = "\
Asks a BIG-IP whether it answers as the fixtures in tests/fixtures/bigip say,
and which of the assumptions hold that this project had to make.

It reads only, and logs in and out, unless --write is given with a tunnel that
is there for nothing else: the tunnel must exist and hold no record, and holds
none afterwards. With --write the configuration is saved once, too.

Exit codes: 0 all held, 1 something differs, 2 the command line is wrong,
3 the device cannot be asked.";

/// Checks a BIG-IP against what is known and assumed of it.
#[derive(Debug, Parser)]
#[command(name = "bigip-conformance", bin_name = "cargo xtask conformance", long_about = LONG_ABOUT)]
struct Args {
    /// The device, such as `https://192.0.2.11`
    #[arg(long, value_name = "URL")]
    url: String,

    /// User who logs in
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,

    /// File with the password; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Login provider of the user
    #[arg(long, value_name = "NAME", default_value = "tmos")]
    login_provider: String,

    /// File with the certificates to trust, in PEM; without it, those that the system trusts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pin", "insecure"])]
    ca: Option<PathBuf>,

    /// SHA-256 fingerprint of the certificate to trust
    #[arg(long, value_name = "SHA256", conflicts_with = "insecure")]
    pin: Option<Pin>,

    /// Do not verify the certificate: whoever answers gets the password
    #[arg(long)]
    insecure: bool,

    /// Full path of a tunnel to ask about, such as /Common/throwaway
    #[arg(long, value_name = "/PARTITION/NAME")]
    tunnel: Option<String>,

    /// Write records of the tunnel, and remove them again
    #[arg(long, requires = "tunnel")]
    write: bool,

    /// Also log in with a wrong password, which counts towards a lock of the account
    #[arg(long)]
    wrong_password_login: bool,

    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,

    /// Folder of the fixtures
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/bigip"), hide_default_value = true)]
    fixtures: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs, and to be sent
    Json,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let causes = iter::successors(Some(error.as_ref()), |&cause| cause.source());
            let message: Vec<String> = causes.map(ToString::to_string).collect();
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "error: {}", message.join(": "));
            ExitCode::from(3)
        }
    }
}

/// Whether all held.
async fn run(args: Args) -> Result<bool, Box<dyn Error>> {
    let fixtures = conformance::load(&args.fixtures)?;
    let trust = match (&args.ca, args.pin, args.insecure) {
        (Some(path), _, _) => Trust::Ca(fs::read(path)?),
        (None, Some(pin), _) => Trust::Pin(pin),
        (None, None, true) => Trust::Anything,
        (None, None, false) => Trust::System,
    };
    let password = match &args.password_file {
        Some(path) => fs::read_to_string(path)?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        None => rpassword::prompt_password(format!("Password of {}: ", args.user))?,
    };
    let credentials = Credentials {
        user: args.user,
        password,
        login_provider: args.login_provider,
    };
    let target = Target::new(&args.url, &trust, credentials)?;
    let allowed = Allowed {
        tunnel: args.tunnel,
        write: args.write,
        wrong_password: args.wrong_password_login,
    };
    let report = conformance::run(&target, &fixtures, &allowed).await?;
    let mut out = io::stdout().lock();
    match args.output {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Text => print(&report, &mut out)?,
    }
    let differs = |finding: &Finding| matches!(finding.result, FixtureResult::Differs { .. });
    Ok(!report.findings.iter().any(differs))
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "TMOS {}", report.version)?;
    let (assumed, known): (Vec<_>, Vec<_>) = report
        .findings
        .iter()
        .partition(|finding| finding.evidence == Evidence::Assumed);
    for (heading, findings) in [("Known", known), ("Assumed", assumed)] {
        writeln!(out, "\n{heading}")?;
        for finding in &findings {
            print_finding(finding, out)?;
        }
        let count = |wanted: fn(&FixtureResult) -> bool| {
            findings
                .iter()
                .filter(|finding| wanted(&finding.result))
                .count()
        };
        writeln!(
            out,
            "{} hold, {} do not, {} not asked",
            count(|result| *result == FixtureResult::Held),
            count(|result| matches!(result, FixtureResult::Differs { .. })),
            count(|result| matches!(result, FixtureResult::Skipped { .. })),
        )?;
    }
    Ok(())
}

fn print_finding(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let Finding { title, seen, .. } = finding;
    match &finding.result {
        FixtureResult::Held => writeln!(out, "  holds     {title}"),
        FixtureResult::Skipped { why } => writeln!(out, "  not asked {title} ({why})"),
        FixtureResult::Differs { request, expected } => {
            writeln!(out, "  DIFFERS   {title}")?;
            writeln!(out, "            {request}: {expected}")?;
            writeln!(out, "            answered: {seen}")?;
            writeln!(out, "            known from: {}", finding.source)?;
            match &finding.otherwise {
                Some(otherwise) => writeln!(out, "            then: {otherwise}"),
                None => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
