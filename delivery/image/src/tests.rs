//! Images of programs that are a header and nothing else: the rules of the layout, read back from its files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::contents::CA_BUNDLE;
use crate::layout::sha256;
use crate::{ImageError, Options, build, write_root};

const AMD64: u16 = 62;
const ARM64: u16 = 183;
const RISCV: u16 = 243;

/// The smallest 64-bit ELF file with a segment to load.
fn static_program(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16] = 2; // e_type: a program
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20] = 1; // e_version
    bytes[32] = 64; // e_phoff
    bytes[52] = 64; // e_ehsize
    bytes[54] = 56; // e_phentsize
    bytes[56] = 1; // e_phnum
    bytes[64] = 1; // p_type: PT_LOAD
    bytes
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("operator"), static_program(AMD64)).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> Options {
        Options {
            name: "registry.example/operator:1.2.3".to_owned(),
            program: self.path("operator"),
            also: Vec::new(),
            ports: vec![8080],
            labels: BTreeMap::from([("a.label".to_owned(), "its value".to_owned())]),
        }
    }

    /// The layout of the image, on disk.
    fn written(&self) -> Written {
        let layout = build(&self.options()).unwrap();
        let folder = self.path("layout");
        layout.write(&folder).unwrap();
        Written { folder }
    }
}

struct Written {
    folder: PathBuf,
}

impl Written {
    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join(path)).unwrap()).unwrap()
    }

    /// The blob that a descriptor stands for, after a look at its size.
    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        let hex = descriptor["digest"].as_str().unwrap();
        let hex = hex.strip_prefix("sha256:").unwrap();
        let bytes = fs::read(self.folder.join("blobs/sha256").join(hex)).unwrap();
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    }

    fn manifest(&self) -> Value {
        let index = self.json("index.json");
        serde_json::from_slice(&self.blob(&index["manifests"][0])).unwrap()
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&self.blob(&self.manifest()["config"])).unwrap()
    }

    fn layer(&self) -> Vec<u8> {
        self.blob(&self.manifest()["layers"][0])
    }
}

fn archive(options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    build(options).unwrap().archive(&mut bytes).unwrap();
    bytes
}

#[test]
fn sha256_is_that_of_the_standard() {
    let of_the_standard = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc"), of_the_standard);
}

#[test]
fn same_program_gives_the_same_bytes() {
    let (one, other) = (Bench::new(), Bench::new());
    // Neither the time nor the permissions of the file count.
    let program = fs::File::open(other.path("operator")).unwrap();
    program.set_modified(std::time::UNIX_EPOCH).unwrap();
    program
        .set_permissions(fs::Permissions::from_mode(0o600))
        .unwrap();
    assert_eq!(archive(&one.options()), archive(&other.options()));
    let digest = |bench: &Bench| build(&bench.options()).unwrap().digest().to_owned();
    assert_eq!(digest(&one), digest(&other));
}

#[test]
fn another_program_gives_another_digest() {
    let bench = Bench::new();
    let before = build(&bench.options()).unwrap().digest().to_owned();
    let mut program = static_program(AMD64);
    program.push(0);
    fs::write(bench.path("operator"), program).unwrap();
    assert_ne!(build(&bench.options()).unwrap().digest(), before);
}

#[test]
fn blobs_are_named_by_their_digest() {
    let bench = Bench::new();
    let image = bench.written();
    let blobs = fs::read_dir(image.folder.join("blobs/sha256")).unwrap();
    let mut count = 0;
    for blob in blobs {
        let path = blob.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name, sha256(&fs::read(&path).unwrap()));
        count += 1;
    }
    assert_eq!(count, 3, "layer, configuration and manifest");
}

#[test]
fn digest_of_the_image_is_that_of_the_manifest() {
    let bench = Bench::new();
    let layout = build(&bench.options()).unwrap();
    let index = bench.written().json("index.json");
    let manifest = &index["manifests"][0];
    assert_eq!(manifest["digest"], layout.digest());
    assert_eq!(manifest["platform"]["architecture"], "amd64");
    let name = &manifest["annotations"]["io.containerd.image.name"];
    assert_eq!(name, "registry.example/operator:1.2.3");
}

#[test]
fn config_runs_the_program_without_root() {
    let bench = Bench::new();
    let image = bench.written();
    let config = image.config();
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(
        config["config"]["Entrypoint"],
        serde_json::json!(["/operator"])
    );
    assert!(config["config"]["ExposedPorts"]["8080/tcp"].is_object());
    assert_eq!(config["config"]["Labels"]["a.label"], "its value");
    let layer = format!("sha256:{}", sha256(&image.layer()));
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([layer]));
}

#[test]
fn layer_holds_program_user_and_authorities() {
    let bench = Bench::new();
    let layer = bench.written().layer();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(layer.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.mtime().unwrap(), 0);
        let mode = header.mode().unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, (mode, bytes));
    }
    assert_eq!(files["operator"], (0o755, static_program(AMD64)));
    assert_eq!(files["tmp"].0, 0o1777);
    let passwd = String::from_utf8_lossy(&files["etc/passwd"].1);
    assert!(passwd.contains("nonroot:x:65532:65532:"), "{passwd}");
    let authorities = String::from_utf8_lossy(&files[CA_BUNDLE].1);
    let count = authorities.matches("-----BEGIN CERTIFICATE-----\n").count();
    assert!(count > 50, "{count} certificates");
}

#[test]
fn files_for_an_engine_equal_the_layer_files() {
    let bench = Bench::new();
    let root = bench.path("root");
    write_root(&bench.path("operator"), &root).unwrap();
    let layer = bench.written().layer();
    for entry in tar::Archive::new(layer.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = root.join(entry.path().unwrap());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, entry.header().mode().unwrap(), "{}", path.display());
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        }
    }
}

#[test]
fn architecture_is_that_of_the_program() {
    let bench = Bench::new();
    fs::write(bench.path("operator"), static_program(ARM64)).unwrap();
    assert_eq!(bench.written().config()["architecture"], "arm64");
}

fn refusal(bench: &Bench) -> String {
    build(&bench.options()).unwrap_err().to_string()
}

#[test]
fn program_that_needs_libraries_is_refused() {
    let bench = Bench::new();
    let mut needs_loader = static_program(AMD64);
    needs_loader[64] = 3; // p_type: PT_INTERP
    fs::write(bench.path("operator"), needs_loader).unwrap();
    let text = refusal(&bench);
    assert!(text.contains("link it statically"), "{text}");
}

#[test]
fn file_that_is_no_program_is_refused() {
    let bench = Bench::new();
    fs::write(bench.path("operator"), "#!/bin/sh\n").unwrap();
    assert!(refusal(&bench).contains("not a program for Linux"));
    fs::write(bench.path("operator"), static_program(RISCV)).unwrap();
    assert!(refusal(&bench).contains("neither for amd64 nor for arm64"));
    fs::remove_file(bench.path("operator")).unwrap();
    assert!(refusal(&bench).starts_with("cannot read "));
}

#[test]
fn folder_with_other_files_is_refused_and_kept() {
    let bench = Bench::new();
    let layout = build(&bench.options()).unwrap();
    let error = layout.write(bench.folder.path()).unwrap_err();
    assert!(matches!(error, ImageError::NotAnImage(_)), "{error}");
    assert!(bench.path("operator").is_file());
}

#[test]
fn older_image_in_the_folder_is_replaced() {
    let bench = Bench::new();
    bench.written();
    fs::write(bench.path("operator"), static_program(ARM64)).unwrap();
    let image = bench.written();
    assert_eq!(image.config()["architecture"], "arm64");
    assert_eq!(blob_count(&image.folder), 3);
}

fn blob_count(folder: &Path) -> usize {
    fs::read_dir(folder.join("blobs/sha256")).unwrap().count()
}

#[test]
fn other_programs_lie_beside_the_first() {
    let bench = Bench::new();
    fs::write(bench.path("stand-in"), static_program(AMD64)).unwrap();
    let options = Options {
        also: vec![bench.path("stand-in")],
        ..bench.options()
    };
    let folder = bench.path("both");
    build(&options).unwrap().write(&folder).unwrap();
    let image = Written { folder };
    let layer = image.layer();
    let mut archive = tar::Archive::new(layer.as_slice());
    let paths = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        entry.path().unwrap().display().to_string()
    });
    let paths: Vec<String> = paths.collect();
    let mut sorted = paths.clone();
    sorted.sort();
    assert_eq!(paths, sorted);
    for program in ["operator", "stand-in"] {
        assert!(paths.iter().any(|path| path == program), "{paths:?}");
    }
    let entrypoint = &image.config()["config"]["Entrypoint"];
    assert_eq!(*entrypoint, serde_json::json!(["/operator"]));
}

#[test]
fn programs_for_two_processors_make_no_image() {
    let bench = Bench::new();
    fs::write(bench.path("stand-in"), static_program(ARM64)).unwrap();
    let options = Options {
        also: vec![bench.path("stand-in")],
        ..bench.options()
    };
    let error = build(&options).unwrap_err().to_string();
    assert!(error.contains("another processor"), "{error}");
}
