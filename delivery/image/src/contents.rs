//! The files of an image. It must not know of layers' formats beyond the archive that holds them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pem::{EncodeConfig, LineEnding, Pem};
use tar::{Builder, EntryType, Header};

use crate::ImageError;

/// Where TLS libraries look for the certificate authorities of the public internet.
pub const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

const PASSWD: &str =
    "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";
/// Names are looked for in `/etc/hosts` first, where Kubernetes puts the pod's aliases.
const NSSWITCH: &str = "hosts: files dns\n";

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// What a file holds; a folder holds nothing of its own.
    pub bytes: Option<Vec<u8>>,
}

impl Entry {
    fn folder(path: &str, mode: u32) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            bytes: None,
        }
    }

    fn file(path: &str, text: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.to_owned(),
            mode: 0o644,
            bytes: Some(text.into()),
        }
    }

    /// A program at the root.
    pub(crate) fn program(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            mode: 0o755,
            ..Self::file(name, bytes)
        }
    }

    /// Writes it, with its permissions, below a folder that is made where needed.
    pub(crate) fn write_below(&self, root: &Path) -> Result<(), ImageError> {
        let path = root.join(&self.path);
        let failed = |source| ImageError::File {
            action: "write",
            path: path.clone(),
            source,
        };
        match &self.bytes {
            None => fs::create_dir_all(&path).map_err(failed)?,
            Some(bytes) => {
                fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
                fs::write(&path, bytes).map_err(failed)?;
            }
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(self.mode)).map_err(failed)
    }
}

/// What every image holds beside its program.
pub(crate) fn base() -> Vec<Entry> {
    vec![
        Entry::folder("etc", 0o755),
        Entry::folder("etc/ssl", 0o755),
        Entry::folder("etc/ssl/certs", 0o755),
        Entry::folder("tmp", 0o1777),
        Entry::file("etc/passwd", PASSWD),
        Entry::file("etc/group", GROUP),
        Entry::file("etc/nsswitch.conf", NSSWITCH),
        Entry::file(CA_BUNDLE, authorities()),
    ]
}

/// Puts entries into the order of the archive: a folder comes before what is in it.
pub(crate) fn sort(entries: &mut [Entry]) {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
}

/// The certificate authorities that Mozilla trusts, of the pinned crate: the build machine has no say.
fn authorities() -> String {
    let certificates: Vec<Pem> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| Pem::new("CERTIFICATE", der.to_vec()))
        .collect();
    pem::encode_many_config(
        &certificates,
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    )
}

/// The archive of a layer.
pub(crate) fn layer(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let bytes = entry.bytes.as_deref().unwrap_or_default();
        let mut header = Header::new_ustar();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        header.set_entry_type(match entry.bytes {
            Some(_) => EntryType::Regular,
            None => EntryType::Directory,
        });
        archive.append_data(&mut header, &entry.path, bytes)?;
    }
    archive.into_inner()
}
