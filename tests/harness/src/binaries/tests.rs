//! The order of the sources, on a cache of the test's own. Nothing is fetched from the network and
//! nothing is compiled.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

fn programs_in(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in [KUBE_APISERVER, ETCD] {
        fs::write(folder.join(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn nothing(cache: &Path) -> Sources {
    Sources {
        assets: None,
        cache: cache.to_owned(),
        archive: None,
        go: "no-such-go".into(),
    }
}

/// An archive with the layout of the published one, fetched through a `file:` address.
fn packed_archive(folder: &Path) -> envtest::Archive {
    programs_in(&folder.join("controller-tools/envtest"));
    let file = folder.join("packed.tar.gz");
    let packed = Command::new("tar")
        .arg("-czf")
        .arg(&file)
        .arg("-C")
        .arg(folder)
        .arg("controller-tools")
        .status()
        .unwrap();
    assert!(packed.success());
    envtest::Archive {
        name: "envtest-test".to_owned(),
        url: format!("file://{}", file.display()),
        sha512: envtest::sha512_of(&file).unwrap(),
    }
}

#[test]
fn user_supplied_folder_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    programs_in(&dir.path().join("cache").join(built_name()));
    programs_in(&dir.path().join("assets"));
    let sources = Sources {
        assets: Some(dir.path().join("assets").into()),
        ..nothing(&dir.path().join("cache"))
    };
    let found = sources.locate(&|_| {}).unwrap();
    assert_eq!(found.source, Source::KubebuilderAssets);
    assert_eq!(found.etcd, dir.path().join("assets/etcd"));
}

#[test]
fn folder_without_the_programs_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    programs_in(&dir.path().join("cache").join(built_name()));
    let sources = Sources {
        assets: Some(dir.path().into()),
        ..nothing(&dir.path().join("cache"))
    };
    assert_eq!(sources.locate(&|_| {}).unwrap().source, Source::Cache);
}

#[test]
fn non_executable_file_is_no_program() {
    let dir = tempfile::tempdir().unwrap();
    programs_in(dir.path());
    fs::set_permissions(dir.path().join(ETCD), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Binaries::in_folder(dir.path(), Source::Cache), Err(ETCD));
}

#[test]
fn archive_is_downloaded_once_and_then_cached() {
    let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sources = Sources {
        archive: Some(packed_archive(dir.path())),
        ..nothing(cache.path())
    };
    let fetched = sources.locate(&|_| {}).unwrap();
    assert_eq!(fetched.source, Source::Envtest);
    fs::remove_file(dir.path().join("packed.tar.gz")).unwrap();
    let cached = sources.locate(&|_| {}).unwrap();
    assert_eq!(
        cached,
        Binaries {
            source: Source::Cache,
            ..fetched
        }
    );
}

#[test]
fn archive_with_another_checksum_is_refused() {
    let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = envtest::Archive {
        sha512: "00".repeat(64),
        ..packed_archive(dir.path())
    };
    let sources = Sources {
        archive: Some(archive),
        ..nothing(cache.path())
    };
    let error = sources.locate(&|_| {}).unwrap_err().to_string();
    assert!(
        error.contains("does not have the published SHA-512"),
        "{error}"
    );
    assert!(sources.cached().is_none());
}

#[test]
fn missing_sources_are_reported_with_a_remedy() {
    let cache = tempfile::tempdir().unwrap();
    let archive = envtest::Archive {
        name: "unreachable".to_owned(),
        // Nothing listens on this port.
        url: "http://127.0.0.1:1/envtest.tar.gz".to_owned(),
        sha512: String::new(),
    };
    let sources = Sources {
        archive: Some(archive),
        ..nothing(cache.path())
    };
    let said = RefCell::new(Vec::new());
    let error = sources
        .locate(&|line| said.borrow_mut().push(line.to_owned()))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("install Go 1.25 or newer, or set KUBEBUILDER_ASSETS"),
        "{text}"
    );
    assert!(text.contains("Go: cannot be started"), "{text}");
    assert!(
        said.borrow()
            .iter()
            .any(|line| line.starts_with("envtest archive not used"))
    );
    // Nothing half-made is left behind, only the lock.
    let left: Vec<_> = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn outdated_go_is_named_and_not_run() {
    let old = go::GoVersion::parse("go version go1.24.9 linux/amd64").unwrap();
    assert!(old < go::MINIMUM);
    assert!(go::GoVersion::parse("go version go1.26rc1 linux/amd64").unwrap() > go::MINIMUM);
    assert_eq!(
        go::GoVersion::parse("go version devel +abc linux/amd64"),
        None
    );
}

#[test]
fn go_modules_pin_the_versions_of_the_code() {
    for (module, pin) in [
        (
            "kubernetes",
            format!("k8s.io/kubernetes v{KUBERNETES_VERSION}"),
        ),
        ("etcd", format!("go.etcd.io/etcd/server/v3 v{ETCD_VERSION}")),
    ] {
        let path = paths::tools_modules().join(module).join("go.mod");
        let text = fs::read_to_string(path).unwrap();
        let pinned = text.lines().any(|line| {
            line.trim()
                .trim_start_matches("require ")
                .split(" //")
                .next()
                == Some(pin.as_str())
        });
        assert!(pinned, "{module}/go.mod does not require {pin}");
    }
}
