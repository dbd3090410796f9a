//! What `lint` found in manifests: what the API server would refuse, and advice.
//!
//! Pure: documents in, findings out. Knows no file and no cluster.

mod advice;
mod rules;
mod secrets;

use serde::Serialize;
use serde_json::Value;

use crate::catalogue::Code;
use crate::error::Outcome;
use crate::manifest::Document;

pub(crate) use rules::Rules;
pub(crate) use secrets::Secrets;

/// Everything that `lint` found.
#[derive(Serialize, Debug)]
pub(crate) struct LintReport {
    pub(crate) success: bool,
    pub(crate) files: Vec<FileReport>,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
}

/// One file.
#[derive(Serialize, Debug)]
pub(crate) struct FileReport {
    pub(crate) file: String,
    /// The tunnels in it, as namespace and name.
    pub(crate) tunnels: Vec<String>,
    /// How many objects of other kinds are in it.
    pub(crate) others: usize,
    pub(crate) findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    /// The tunnel, as namespace and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tunnel: Option<String>,
    /// The field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) path: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

/// How bad it is.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// It is accepted; somebody may want to look at it.
    Warning,
    /// It is refused, by the API server or by the operator.
    Error,
}

/// Something about a field, before it is known where the field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    level: Level,
    path: String,
    message: String,
    code: Option<Code>,
}

impl Problem {
    fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            path: path.into(),
            message: message.into(),
            code: None,
        }
    }
}

impl FileReport {
    /// What there is to say about the documents of a file.
    pub(crate) fn new(
        file: String,
        documents: &[Document],
        rules: &Rules,
        secrets: &Secrets,
    ) -> Self {
        let mut report = Self {
            file,
            tunnels: Vec::new(),
            others: 0,
            findings: Vec::new(),
        };
        for document in documents {
            report.look_at(document, &document.value, "", (rules, secrets));
        }
        report
    }

    /// A file that is no manifest.
    pub(crate) fn unreadable(file: String, line: Option<u64>, message: String) -> Self {
        let finding = Finding {
            level: Level::Error,
            line,
            tunnel: None,
            path: String::new(),
            message,
            code: None,
        };
        Self {
            file,
            tunnels: Vec::new(),
            others: 0,
            findings: vec![finding],
        }
    }

    /// Looks at an object, or at those in a list of objects.
    fn look_at(
        &mut self,
        document: &Document,
        object: &Value,
        place: &str,
        (rules, secrets): (&Rules, &Secrets),
    ) {
        let text = |field: &str| {
            object
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("kind") == "List"
            && let Some(items) = object.get("items").and_then(Value::as_array)
        {
            for (index, item) in items.iter().enumerate() {
                let place = format!("{place}items[{index}].");
                self.look_at(document, item, &place, (rules, secrets));
            }
            return;
        }
        let (group, _) = text("apiVersion").split_once('/').unwrap_or_default();
        // Another group may be mistyped.
        if group != bigip_tunnel_crds::GROUP && text("kind") != "BigIpTunnel" {
            self.others += 1;
            return;
        }
        let metadata = |field: &str| {
            let value = object.pointer(&format!("/metadata/{field}"));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        let tunnel = match (metadata("namespace"), metadata("name")) {
            ("", name) => name.to_owned(),
            (namespace, name) => format!("{namespace}/{name}"),
        };
        for problem in rules.problems(object, secrets) {
            self.findings.push(Finding {
                level: problem.level,
                line: Some(document.line_of(&format!("{place}{}", problem.path))),
                tunnel: Some(tunnel.clone()),
                path: problem.path,
                message: problem.message,
                code: problem.code,
            });
        }
        self.tunnels.push(tunnel);
    }
}

impl LintReport {
    /// What these files amount to. Findings at or above the threshold make it a failure.
    pub(crate) fn new(files: Vec<FileReport>, threshold: Level) -> Self {
        let findings = || files.iter().flat_map(|file| &file.findings);
        let of = |level| findings().filter(|finding| finding.level == level).count();
        Self {
            success: !findings().any(|finding| finding.level >= threshold),
            errors: of(Level::Error),
            warnings: of(Level::Warning),
            files,
        }
    }

    /// Whether there was nothing to look at.
    pub(crate) fn is_empty(&self) -> bool {
        let has_any = |file: &FileReport| !(file.tunnels.is_empty() && file.findings.is_empty());
        !self.files.iter().any(has_any)
    }

    /// Whether something was found.
    pub(crate) const fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.success)
    }
}

#[cfg(test)]
mod tests;
