//! `report`: a file for those who shall help: what there is, as far as the person may read it, and
//! nothing that is secret.

mod archive;
mod parts;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::bundle::BundleArgs;
use crate::cli::see::DataFormat;
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::bundle::{BundleReport, Included, KIND, Missing};
use crate::style::Style;
use archive::Archive;

/// Runs the verb. What could not be read is no finding: it says nothing about the tunnels.
pub(crate) async fn run(
    connection: &Connection,
    args: &BundleArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if !args.names.is_empty() {
        connection.must_be_one_namespace()?;
    }
    let created = Timestamp::now();
    let path = args.file.clone().unwrap_or_else(|| {
        PathBuf::from(
            created
                .strftime("bigip-tunnel-report-%Y%m%dT%H%M%SZ.zip")
                .to_string(),
        )
    });
    let mut collector = Collector {
        cluster: Cluster::new(connection).await?,
        all_namespaces: connection.all_namespaces,
        args,
        archive: Archive::new(path, created)?,
        report: BundleReport::new(created),
        style,
        err,
    };
    collector.collect().await?;
    let (report, place) = collector.finish()?;
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out)?,
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out)?,
        None => render::bundle::write(&report, (&place.0, place.1), out)?,
    }
    Ok(Outcome::Fine)
}

/// A bundle in the making, and who is told about it.
struct Collector<'a> {
    cluster: Cluster,
    all_namespaces: bool,
    args: &'a BundleArgs,
    archive: Archive,
    report: BundleReport,
    style: Style,
    err: &'a mut dyn Write,
}

impl Collector<'_> {
    /// Puts a report in, or an object.
    fn add<R: Serialize>(
        &mut self,
        files: &mut Vec<String>,
        name: String,
        content: &R,
    ) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(content);
        let text = text.map_err(|error| Error::Format(error.to_string()))?;
        self.archive.add(&name, &text)?;
        files.push(name);
        Ok(())
    }

    /// Notes that these files are in.
    fn included(&mut self, what: String, files: Vec<String>) -> Result<(), Error> {
        render::bundle::write_included(&what, self.style, self.err)?;
        self.report.included.push(Included { what, files });
        Ok(())
    }

    /// Notes that something is not.
    fn missing(&mut self, what: &str, why: &dyn Display) -> Result<(), Error> {
        let missing = Missing {
            what: what.to_owned(),
            why: why.to_string(),
        };
        render::bundle::write_missing(&missing, self.style, self.err)?;
        self.report.missing.push(missing);
        Ok(())
    }

    /// What was read; else notes why it was not.
    fn read<T>(&mut self, what: &str, read: Result<T, Error>) -> Result<Option<T>, Error> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.missing(what, &error).map(|()| None),
        }
    }

    /// Puts the index in, and the file in its place.
    fn finish(mut self) -> Result<(BundleReport, (PathBuf, u64)), Error> {
        let mut index = Vec::new();
        render::json(KIND, &self.report, &mut index)?;
        self.archive.add("index.json", &index)?;
        Ok((self.report, self.archive.finish()?))
    }
}
