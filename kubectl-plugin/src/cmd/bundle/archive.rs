//! The file of a support bundle: a zip that is there as a whole or not at all. Must not know what is
//! in it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::Error;

/// A zip in the making. Nobody but the person who makes it may read it.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipWriter<NamedTempFile>,
    options: SimpleFileOptions,
}

impl Archive {
    /// One that will be at this place.
    pub(super) fn new(path: PathBuf, created: Timestamp) -> Result<Self, Error> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".bigip-tunnel-report-")
            .tempfile_in(folder)
            .map_err(|error| refused(&path, &error.to_string()))?;
        Ok(Self {
            zip: ZipWriter::new(file),
            options: SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .last_modified_time(date_time(created).unwrap_or_default()),
            path,
        })
    }

    /// Puts a file in.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let started = self.zip.start_file(name, self.options);
        started
            .map_err(io::Error::from)
            .and_then(|()| self.zip.write_all(content))
            .map_err(|error| refused(&self.path, &error.to_string()))
    }

    /// Puts it in its place: where it is, and how many bytes it has.
    pub(super) fn finish(self) -> Result<(PathBuf, u64), Error> {
        let problem = |error: &dyn ToString| refused(&self.path, &error.to_string());
        let file = self.zip.finish().map_err(|error| problem(&error))?;
        let file = file.persist(&self.path).map_err(|error| problem(&error))?;
        let size = file.metadata().map_err(|error| problem(&error))?.len();
        Ok((self.path, size))
    }
}

/// The time in the form of a zip, if it can be told in it.
fn date_time(time: Timestamp) -> Option<DateTime> {
    let time = time.to_zoned(TimeZone::UTC);
    let year = time.year().try_into().ok()?;
    let small = |number: i8| u8::try_from(number).ok();
    let (month, day) = (small(time.month())?, small(time.day())?);
    let (hour, minute) = (small(time.hour())?, small(time.minute())?);
    DateTime::from_date_and_time(year, month, day, hour, minute, small(time.second())?).ok()
}

fn refused(path: &Path, problem: &str) -> Error {
    Error::File {
        what: "bundle",
        path: path.to_owned(),
        problem: problem.to_owned(),
        hint: "give another file with -f",
    }
}
