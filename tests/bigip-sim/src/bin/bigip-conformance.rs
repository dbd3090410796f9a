//! `bigip-conformance`: asks a BIG-IP whether it does what the fixtures say.
//!
//! Reads only, unless a throw-away tunnel is named to be written to.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, iter};

use bigip_sim::conformance::{
    self, Allowed, Call, Credentials, Evidence, Finding, Outcome, Pin, Report, Right, Target, Trust,
};
use clap::{Parser, ValueEnum};

const LONG_ABOUT: &str = "\
Asks a BIG-IP whether it answers as the fixtures in tests/fixtures/bigip say,
which of the assumptions hold that this project had to make, what it answers
to questions that are open, and which of the product's calls this user may
make.

It reads only, and logs in and out, unless --write is given with a tunnel that
is there for nothing else: the tunnel must exist and hold no record, and holds
none afterwards. With --write the configuration is saved once, too.

Exit codes: 0 all held, 1 something differs, 2 the command line is wrong,
3 the device cannot be asked, 130 interrupted (what was written is removed
first; a second Ctrl-C ends at once).";

/// Exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

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

    /// Do not verify the certificate: the password is sent to any host that answers
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

/// What came of it.
enum End {
    AllHeld,
    SomethingDiffers,
    Interrupted,
}

/// The password cannot be used.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    #[error("cannot read the password file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot ask the terminal for the password; give it by --password-file")]
    Terminal(#[source] io::Error),
    // A refused login would count towards a lock of the account.
    #[error("the password is empty")]
    Empty,
}

/// The CA file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the CA file {}", path.display())]
struct CaError {
    path: PathBuf,
    source: io::Error,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(End::AllHeld) => ExitCode::SUCCESS,
        Ok(End::SomethingDiffers) => ExitCode::from(1),
        Ok(End::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            let causes = iter::successors(Some(error.as_ref()), |&cause| cause.source());
            let message: Vec<String> = causes.map(ToString::to_string).collect();
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "error: {}", message.join(": "));
            ExitCode::from(3)
        }
    }
}

async fn run(args: Args) -> Result<End, Box<dyn Error>> {
    let fixtures = conformance::load(&args.fixtures)?;
    let trust = match (args.ca, args.pin, args.insecure) {
        (Some(path), _, _) => {
            Trust::Ca(fs::read(&path).map_err(|source| CaError { path, source })?)
        }
        (None, Some(pin), _) => Trust::Pin(pin),
        (None, None, true) => Trust::Anything,
        (None, None, false) => Trust::System,
    };
    let credentials = Credentials {
        password: password(args.password_file.as_deref(), &args.user)?,
        user: args.user,
        login_provider: args.login_provider,
    };
    let target = Target::new(&args.url, &trust, credentials)?;
    let allowed = Allowed {
        tunnel: args.tunnel,
        write: args.write,
        wrong_password: args.wrong_password_login,
    };
    let stop = Arc::new(AtomicBool::new(false));
    tokio::spawn(watch_interrupts(Arc::clone(&stop)));
    let report = conformance::run(&target, &fixtures, &allowed, &stop).await?;
    let mut out = io::stdout().lock();
    match args.output {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Text => print(&report, &mut out)?,
    }
    let differs = |finding: &Finding| matches!(finding.outcome, Outcome::Differs { .. });
    Ok(if stop.load(Ordering::Relaxed) {
        End::Interrupted
    } else if report.findings.iter().any(differs) {
        End::SomethingDiffers
    } else {
        End::AllHeld
    })
}

fn password(file: Option<&Path>, user: &str) -> Result<String, PasswordError> {
    let text = match file {
        Some(path) => fs::read_to_string(path).map_err(|source| PasswordError::Read {
            path: path.to_owned(),
            source,
        })?,
        None => rpassword::prompt_password(format!("Password of {user}: "))
            .map_err(PasswordError::Terminal)?,
    };
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    Ok(password.to_owned())
}

/// Lets the first Ctrl-C end the run in good order, and the second at once.
async fn watch_interrupts(stop: Arc<AtomicBool>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        let text = "ending, and removing what was written; Ctrl-C again ends at once";
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "TMOS {}", report.version)?;
    let is_known = |evidence| !matches!(evidence, Evidence::Assumed | Evidence::Open);
    let of = |wanted: &dyn Fn(Evidence) -> bool| -> Vec<&Finding> {
        let findings = report.findings.iter();
        let mut findings: Vec<_> = findings.filter(|it| wanted(it.evidence)).collect();
        findings.sort_by_key(|finding| rank(&finding.outcome));
        findings
    };
    for (heading, findings) in [
        ("Known", of(&is_known)),
        ("Assumed", of(&|evidence| evidence == Evidence::Assumed)),
        ("Open", of(&|evidence| evidence == Evidence::Open)),
    ] {
        writeln!(out, "\n{heading}")?;
        for finding in &findings {
            print_finding(finding, out)?;
        }
        writeln!(out, "{}", summary(&findings))?;
    }
    writeln!(out, "\nThe product's calls, made as this user")?;
    for Call { call, right } in &report.calls {
        let right = match right {
            Right::Allowed => "allowed",
            Right::Missing => "NO RIGHT",
            Right::Refused => "refused",
            Right::NotAsked => "not asked",
        };
        writeln!(out, "  {right:9} {call}")?;
    }
    Ok(())
}

/// What a person looks for comes first.
fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Differs { .. } => 0,
        Outcome::NoRight { .. } => 1,
        Outcome::Held | Outcome::Told => 2,
        Outcome::Skipped { .. } => 3,
    }
}

/// How many of each there are.
fn summary(findings: &[&Finding]) -> String {
    let counted = [
        ("hold", count(findings, |it| *it == Outcome::Held)),
        (
            "do not",
            count(findings, |it| matches!(it, Outcome::Differs { .. })),
        ),
        ("told", count(findings, |it| *it == Outcome::Told)),
        (
            "without the right to ask",
            count(findings, |it| matches!(it, Outcome::NoRight { .. })),
        ),
        (
            "not asked",
            count(findings, |it| matches!(it, Outcome::Skipped { .. })),
        ),
    ];
    let some = counted.into_iter().filter(|(_, number)| *number > 0);
    let parts: Vec<String> = some
        .map(|(what, number)| format!("{number} {what}"))
        .collect();
    parts.join(", ")
}

fn count(findings: &[&Finding], wanted: impl Fn(&Outcome) -> bool) -> usize {
    findings.iter().filter(|it| wanted(&it.outcome)).count()
}

fn print_finding(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let Finding { title, seen, .. } = finding;
    match &finding.outcome {
        Outcome::Held => {
            writeln!(out, "  holds     {title}")?;
            if finding.evidence == Evidence::Assumed {
                writeln!(out, "            answered: {seen}")?;
            }
        }
        Outcome::Told => {
            writeln!(out, "  told      {title}")?;
            writeln!(out, "            answered: {seen}")?;
        }
        Outcome::Skipped { why } => writeln!(out, "  not asked {title} ({why})")?,
        Outcome::NoRight { request } => {
            writeln!(out, "  NO RIGHT  {title}")?;
            writeln!(out, "            {request}: {seen}")?;
        }
        Outcome::Differs { request, expected } => {
            writeln!(out, "  DIFFERS   {title}")?;
            writeln!(out, "            {request}: {expected}")?;
            writeln!(out, "            answered: {seen}")?;
            writeln!(out, "            known from: {}", finding.source)?;
            if let Some(otherwise) = &finding.otherwise {
                writeln!(out, "            then: {otherwise}")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
