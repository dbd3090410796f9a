//! `lint`: manifests by the rules of the API server, without one.

use std::io::Write;

use crate::cli::see::DataFormat;
use crate::cli::start::LintArgs;
use crate::cli::why::Threshold;
use crate::error::{Error, Outcome};
use crate::manifest;
use crate::render;
use crate::report::lint::{FileReport, Level, LintReport, Rules, Secrets};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "LintReport";

/// Runs the verb.
pub(crate) fn run(args: &LintArgs, style: Style, out: &mut dyn Write) -> Result<Outcome, Error> {
    let report = collect(args)?;
    if report.is_empty() {
        // A wrong path would be right for ever.
        return Err(Error::Flags {
            problem: "there is no BigIpTunnel in what was given",
            hint: "folders below folders are looked into with -R",
        });
    }
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::lint::write(&report, style, out),
    }?;
    Ok(report.outcome())
}

fn collect(args: &LintArgs) -> Result<LintReport, Error> {
    let rules = Rules::new()
        .ok_or_else(|| Error::Format("the rules of the CRD cannot be applied".to_owned()))?;
    let mut read = Vec::new();
    // A Secret may stand in another file than the tunnel that names it.
    let mut secrets = Secrets::default();
    for path in &args.files {
        for file in manifest::files(path, args.recursive)? {
            let documents = manifest::documents(&manifest::read(&file)?);
            secrets.extend(documents.as_deref().unwrap_or_default());
            read.push((file.display().to_string(), documents));
        }
    }
    let files = read.into_iter().map(|(name, documents)| match documents {
        Ok(documents) => FileReport::new(name, &documents, &rules, &secrets),
        Err(problem) => FileReport::unreadable(name, problem.line, problem.message),
    });
    let threshold = match args.failure_threshold {
        Threshold::Warning => Level::Warning,
        Threshold::Error => Level::Error,
    };
    Ok(LintReport::new(files.collect(), threshold))
}
