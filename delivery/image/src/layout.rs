//! The OCI image layout: a folder of blobs that are named by their digest, and an index.
//!
//! The layer is not compressed: registries and engines take it so, and its digest depends on no compressor. It must not
//! know what the layer holds.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Map, Value};
use tar::{Builder, EntryType, Header};

use crate::program::Program;
use crate::{ImageError, Options, USER};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// No image says when it was made: the same source gives the same bytes.
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// The file that makes a folder a layout.
const MARK: &str = "oci-layout";
const MARK_TEXT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// What stands for a blob elsewhere. The order of fields is that of the bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Clone, Serialize)]
struct Platform {
    architecture: &'static str,
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
struct ImageConfig<'a> {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    config: RunConfig<'a>,
    rootfs: RootFs,
    history: [History; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig<'a> {
    user: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Map<String, Value>>,
    env: [&'static str; 1],
    entrypoint: [String; 1],
    working_dir: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct History {
    created: &'static str,
    created_by: &'static str,
}

/// An image in memory.
#[derive(Debug)]
pub struct Layout {
    digest: String,
    /// By path in the layout, in the order of the archive.
    files: BTreeMap<String, Vec<u8>>,
}

impl Layout {
    pub(crate) fn new(
        options: &Options,
        program: &Program,
        layer: Vec<u8>,
    ) -> Result<Self, ImageError> {
        let mut layout = Self {
            digest: String::new(),
            files: BTreeMap::from([(MARK.to_owned(), MARK_TEXT.into())]),
        };
        let layer = layout.add(LAYER, layer);
        let config = json(&config(options, program, &layer))?;
        let config = layout.add(CONFIG, config);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config,
            layers: vec![layer],
        })?;
        let mut manifest = layout.add(MANIFEST, manifest);
        layout.digest.clone_from(&manifest.digest);
        manifest.platform = Some(Platform {
            architecture: program.architecture,
            os: "linux",
        });
        // containerd takes the whole name from the first, other tools the tag or name from the second.
        manifest.annotations = BTreeMap::from([
            ("io.containerd.image.name", options.name.clone()),
            ("org.opencontainers.image.ref.name", options.name.clone()),
        ]);
        let index = json(&Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: vec![manifest],
        })?;
        layout.files.insert("index.json".to_owned(), index);
        Ok(layout)
    }

    /// The digest that names the image, such as `sha256:…`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Writes the layout into a folder that is new, empty, or holds an older image, which goes.
    ///
    /// # Errors
    ///
    /// Something else is in the folder, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ImageError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| ImageError::File {
                action,
                path,
                source,
            }
        };
        if folder.join(MARK).is_file() {
            fs::remove_dir_all(folder).map_err(failed("remove", folder))?;
        }
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
        let mut inside = fs::read_dir(folder).map_err(failed("read", folder))?;
        if inside.next().is_some() {
            return Err(ImageError::NotAnImage(folder.to_owned()));
        }
        for (path, bytes) in &self.files {
            let path: PathBuf = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(failed("make", parent))?;
            fs::write(&path, bytes).map_err(failed("write", &path))?;
        }
        Ok(())
    }

    /// Writes the layout as one archive, which `ctr images import` and `kind load image-archive` take.
    ///
    /// # Errors
    ///
    /// The output does not take it.
    pub fn archive(&self, output: impl Write) -> io::Result<()> {
        let mut archive = Builder::new(output);
        for (path, bytes) in &self.files {
            let mut header = Header::new_ustar();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, bytes.as_slice())?;
        }
        archive.into_inner()?.flush()
    }

    fn add(&mut self, media_type: &'static str, bytes: Vec<u8>) -> Descriptor {
        let hex = sha256(&bytes);
        let size = bytes.len();
        self.files.insert(format!("blobs/sha256/{hex}"), bytes);
        Descriptor {
            media_type,
            digest: format!("sha256:{hex}"),
            size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

fn config<'a>(options: &'a Options, program: &Program, layer: &Descriptor) -> ImageConfig<'a> {
    let ports = options.ports.iter();
    ImageConfig {
        created: EPOCH,
        architecture: program.architecture,
        os: "linux",
        config: RunConfig {
            user: USER,
            exposed_ports: ports
                .map(|port| (format!("{port}/tcp"), Map::new()))
                .collect(),
            env: ["PATH=/"],
            entrypoint: [format!("/{}", program.name)],
            working_dir: "/",
            labels: &options.labels,
        },
        rootfs: RootFs {
            kind: "layers",
            // The layer is not compressed: its digest is that of its contents.
            diff_ids: [layer.digest.clone()],
        },
        history: [History {
            created: EPOCH,
            created_by: "cargo xtask image",
        }],
    }
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// The SHA-256 of these bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in digest(&SHA256, bytes).as_ref() {
        // Writing to a String does not fail.
        let _: fmt::Result = write!(hex, "{byte:02x}");
    }
    hex
}
