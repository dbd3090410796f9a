//! Where the link for kubectl is made, and where it is not.

use std::os::unix::fs::symlink;

use super::*;
use crate::testing::printed;

/// A plugin in the first folder of a PATH of two.
fn place(root: &Path) -> Place {
    let path = ["bin", "other"].map(|name| root.join(name));
    for folder in &path {
        fs::create_dir(folder).unwrap();
    }
    let plugin = root.join("bin").join(PLUGIN);
    fs::write(&plugin, "the plugin").unwrap();
    Place {
        plugin,
        path: path.into(),
    }
}

/// Installs the link: what was said as data, and beside it.
fn installed(place: &Place, dir: Option<PathBuf>) -> Result<(String, String), Error> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    install(&InstallArgs { dir }, place, &mut out, &mut err)?;
    Ok((
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    ))
}

#[test]
fn completion_link_is_created_beside_the_plugin() {
    let root = tempfile::tempdir().unwrap();
    let place = place(root.path());
    let link = root.path().join("bin").join(LINK);
    let (out, err) = installed(&place, None).unwrap();
    assert_eq!(out, format!("{} created\n", link.display()));
    assert!(err.starts_with("kubectl 1.26 or later"), "{err}");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new(PLUGIN));
    assert_eq!(fs::read_to_string(&link).unwrap(), "the plugin");
    let (again, _) = installed(&place, None).unwrap();
    assert_eq!(again, format!("{} unchanged\n", link.display()));
}

#[test]
fn plugin_outside_path_gets_its_link_on_the_path() {
    let root = tempfile::tempdir().unwrap();
    let mut place = place(root.path());
    place.path.remove(0);
    place.path.insert(0, root.path().join("not-there"));
    installed(&place, None).unwrap();
    let link = root.path().join("other").join(LINK);
    assert_eq!(fs::read_link(link).unwrap(), place.plugin);
}

#[test]
fn folder_outside_path_is_used_with_a_warning() {
    let root = tempfile::tempdir().unwrap();
    let place = place(root.path());
    let (out, err) = installed(&place, Some(root.path().to_owned())).unwrap();
    assert_eq!(
        out,
        format!("{} created\n", root.path().join(LINK).display())
    );
    assert!(err.contains("is not on the PATH"), "{err}");
}

#[test]
fn foreign_file_is_not_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let place = place(root.path());
    let link = root.path().join("bin").join(LINK);
    fs::write(&link, "a script").unwrap();
    let error = installed(&place, None).unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(matches!(error, Error::InTheWay(path) if path == link));
    assert_eq!(fs::read_to_string(&link).unwrap(), "a script");
    fs::remove_file(&link).unwrap();
    symlink("/bin/true", &link).unwrap();
    assert!(matches!(installed(&place, None), Err(Error::InTheWay(_))));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/bin/true"));
}

#[test]
fn dangling_link_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let place = place(root.path());
    let link = root.path().join("bin").join(LINK);
    symlink(Path::new("/old").join(PLUGIN), &link).unwrap();
    let (out, _) = installed(&place, None).unwrap();
    assert!(out.ends_with(" created\n"), "{out}");
    assert_eq!(fs::read_to_string(&link).unwrap(), "the plugin");
}

#[test]
fn missing_writable_folder_names_the_remedy() {
    let root = tempfile::tempdir().unwrap();
    let mut place = place(root.path());
    place.path = vec![root.path().join("not-there")];
    let error = installed(&place, None).unwrap_err();
    assert!(
        error.to_string().contains("no directory of the PATH"),
        "{error}"
    );
    let missing = Some(root.path().join("not-there"));
    let error = installed(&place, missing).unwrap_err();
    assert!(error.to_string().contains("not-there"), "{error}");
}

#[test]
fn every_shell_script_calls_the_plugin() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = printed(|out| Ok(write_script(shell, "/opt/p", out)?));
        assert!(script.contains(PLUGIN), "{script}");
        assert!(script.contains("/opt/p"), "{script}");
    }
}
