//! `auth/user`: the users of the device, for reading and for a new password.

use serde_json::{Map, Value};

use super::Accounts;
use crate::config::{Rights, UserConfig};
use crate::failure::Failure;
use crate::wire::{Fields, Links, kind, segment};

const RESOURCE: &str = "auth/user";

impl Accounts {
    /// The users as items of a list.
    pub(crate) fn users(&self, links: Links) -> Vec<Fields> {
        let users = self.users.values();
        users.map(|account| show(links, &account.config)).collect()
    }

    /// A `PATCH` of a user: a new password, as an administrator sets it (ANS `bigip_user.py` does it so; `APIRef`
    /// `tm_auth_user` names the property).
    ///
    /// # Errors
    ///
    /// 404 without such a user; 501 for every other change of a user.
    pub(crate) fn change_user(&mut self, name: &str, body: &[u8]) -> Result<(), Failure> {
        if !self.users.contains_key(name) {
            return Err(Failure::not_found("user", name));
        }
        let not_simulated =
            || Failure::not_simulated("changes of a user other than a new password");
        let change: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| not_simulated())?;
        let password = change.get("password").and_then(Value::as_str);
        match (change.len(), password) {
            (1, Some(password)) if !password.is_empty() => self.set_password(name, password),
            _ => return Err(not_simulated()),
        }
        Ok(())
    }
}

/// A user (genieparser `auth_user`, 14.1.2.1; ANS `load_auth_user_no_pass.json`, 13.0.0). Of the password
/// nothing is shown: `!!` is what a device shows of a user without one. *Assumed*: which role has which of the
/// rights that are simulated.
fn show(links: Links, user: &UserConfig) -> Fields {
    let (role, partition) = match &user.rights {
        Rights::All => ("admin", "all-partitions"),
        Rights::None => ("no-access", "all-partitions"),
        Rights::ReadOnly => ("guest", "all-partitions"),
        Rights::Operator => ("operator", "all-partitions"),
        Rights::Manager(partition) => ("manager", partition.as_str()),
    };
    let access = Fields::default()
        .with("name", partition)
        .with("role", role)
        .with_object(
            "nameReference",
            links.reference(&format!("auth/partition/{}", segment(partition))),
        );
    let name = user.name.as_str();
    Fields::default()
        .with("kind", kind(RESOURCE, "state"))
        .with("name", name)
        .with("fullPath", name)
        .with("generation", 1)
        .with(
            "selfLink",
            links.to(&format!("{RESOURCE}/{}", segment(name))),
        )
        .with("description", name)
        .with("encryptedPassword", "!!")
        .with_list("partitionAccess", vec![access])
}
