//! Where the login of a CIS comes from: the Secrets that its container refers to. Holds the names of
//! Secrets and keys, never what is in them.

use k8s_openapi::api::core::v1::{
    Container, EnvVar, KeyToPath, PodSpec, SecretKeySelector, Volume,
};

use super::{Arguments, URL};

/// Keys of the Secret that this product reads, and files of `--credentials-directory`.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretKey {
    pub(crate) secret: String,
    pub(crate) key: String,
}

/// Where a login comes from. Nothing is known of what is typed into the arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Login {
    pub(crate) username: Option<SecretKey>,
    pub(crate) password: Option<SecretKey>,
    /// Where the address comes from, if a variable out of a Secret names it.
    pub(crate) url: Option<SecretKey>,
    /// The Secret that `--credentials-directory` shows.
    pub(crate) directory: Option<String>,
}

impl Login {
    /// The login of a container. CIS prefers its own variables to the directory, and that to arguments.
    pub(super) fn of(pod: &PodSpec, container: &Container, arguments: &Arguments) -> Self {
        let mounted = arguments
            .value("credentials-directory")
            .map(|directory| mounted(pod, container, directory))
            .unwrap_or_default();
        let from = |variable: &str, file: &str, flag: &str| {
            let argument = || from_value(container, arguments.value(flag)?);
            variable_of(container, variable)
                .and_then(in_secret)
                .or_else(|| mounted.iter().find_map(|shown| shown.key_of(file)))
                .or_else(argument)
        };
        let url = arguments.value(URL);
        Self {
            username: from("BIGIP_USERNAME", USERNAME, "bigip-username"),
            password: from("BIGIP_PASSWORD", PASSWORD, "bigip-password"),
            url: url.and_then(|value| from_value(container, value)),
            directory: mounted.first().map(|shown| shown.secret.clone()),
        }
    }

    /// The Secret, if one holds the whole login as it is read here.
    pub(crate) fn secret(&self) -> Option<&str> {
        let (username, password) = (self.username.as_ref()?, self.password.as_ref()?);
        let fits = username.secret == password.secret
            && (username.key.as_str(), password.key.as_str()) == (USERNAME, PASSWORD);
        fits.then_some(username.secret.as_str())
    }
}

/// A word with the variables in it that are plain text, as the kubelet does it. Others stay.
pub(super) fn expanded(word: &str, container: &Container) -> String {
    let mut text = word.to_owned();
    for variable in container.env.iter().flatten() {
        if let Some(value) = &variable.value {
            text = text.replace(&format!("$({})", variable.name), value);
        }
    }
    text
}

fn variable_of<'a>(container: &'a Container, name: &str) -> Option<&'a EnvVar> {
    let mut variables = container.env.iter().flatten();
    variables.find(|variable| variable.name == name)
}

fn in_secret(variable: &EnvVar) -> Option<SecretKey> {
    let SecretKeySelector { name, key, .. } =
        variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
    Some(SecretKey {
        secret: name.clone(),
        key: key.clone(),
    })
}

/// The key of a Secret that a value such as `$(BIGIP_PASSWORD)` stands for.
fn from_value(container: &Container, value: &str) -> Option<SecretKey> {
    let name = value.strip_prefix("$(")?.strip_suffix(')')?;
    variable_of(container, name).and_then(in_secret)
}

/// A Secret as a volume shows it.
#[derive(Default)]
struct Shown {
    secret: String,
    items: Option<Vec<KeyToPath>>,
}

impl Shown {
    /// The key behind a file.
    fn key_of(&self, file: &str) -> Option<SecretKey> {
        let key = match &self.items {
            None => file.to_owned(),
            Some(items) => items.iter().find(|item| item.path == file)?.key.clone(),
        };
        Some(SecretKey {
            secret: self.secret.clone(),
            key,
        })
    }
}

/// The Secrets that are mounted at a directory.
fn mounted(pod: &PodSpec, container: &Container, directory: &str) -> Vec<Shown> {
    let path = |path: &str| path.trim_end_matches('/').to_owned();
    let mut mounts = container.volume_mounts.iter().flatten();
    let Some(mount) = mounts.find(|mount| path(&mount.mount_path) == path(directory)) else {
        return Vec::new();
    };
    let mut volumes = pod.volumes.iter().flatten();
    volumes
        .find(|volume| volume.name == mount.name)
        .map(shown)
        .unwrap_or_default()
}

fn shown(volume: &Volume) -> Vec<Shown> {
    let whole = volume.secret.as_ref().and_then(|source| {
        Some(Shown {
            secret: source.secret_name.clone()?,
            items: source.items.clone(),
        })
    });
    let projected = volume
        .projected
        .iter()
        .flat_map(|source| source.sources.iter().flatten());
    let parts = projected.filter_map(|source| {
        let secret = source.secret.as_ref()?;
        Some(Shown {
            secret: secret.name.clone(),
            items: secret.items.clone(),
        })
    });
    whole.into_iter().chain(parts).collect()
}
