//! BIG-IPs, asked by the plugin itself with the login that the tunnel's Secret holds.
//!
//! Only where the person asks for it with `--direct`: it needs the right to get the Secret, and a way
//! to the BIG-IP. What the Secret says of addresses is obeyed as the operator obeys it. Knows no verb.

mod logins;

use std::io::Write;
use std::time::Duration;

use bigip_icontrol::{
    Accounts, BodyMemory, Client, Credentials, DeviceConfig, ErrorKind, Fingerprint, Listing,
    LoginRefusal, Trust, Unit, Verification,
};
use bigip_tunnel_core::account::SecretVersion;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::UnitFacts;
use bigip_tunnel_crds::convert::{self, HostPort};
use bigip_tunnel_crds::status::known_identity;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelSpec, Device, Tls, TlsVerification};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde::{Serialize, Serializer};

use self::logins::KnownRefusals;
use crate::context::Cluster;

/// How long it may take until it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a BIG-IP could not be asked.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// One of the reasons that the operator gives too.
    #[serde(serialize_with = "as_text")]
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field"
)]
fn as_text<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.as_str())
}

/// A BIG-IP that was asked. Its login is to be ended.
pub(crate) struct Live {
    pub(crate) unit: Unit,
    pub(crate) tunnel: TunnelPath,
    pub(crate) facts: UnitFacts,
    pub(crate) listing: Listing,
}

/// How BIG-IPs are asked. One value for all that a verb asks: refused logins are counted in it.
pub(crate) struct Direct<'a> {
    cluster: &'a Cluster,
    /// Whether a password may be sent to somebody who is not verified, where the spec says so.
    allow_insecure_tls: bool,
    /// Shared by all that is asked: a BIG-IP locks accounts, whatever the tunnel.
    accounts: Accounts,
    memory: BodyMemory,
}

impl<'a> Direct<'a> {
    /// Asks with what the objects of this cluster say.
    pub(crate) fn new(cluster: &'a Cluster, allow_insecure_tls: bool) -> Self {
        Self {
            cluster,
            allow_insecure_tls,
            accounts: Accounts::default(),
            memory: BodyMemory::default(),
        }
    }

    /// The cluster whose objects say how BIG-IPs are asked.
    pub(crate) const fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Asks these BIG-IPs of a tunnel, all at once, with `ask`. Says what is waited for if it takes
    /// more than a moment.
    pub(crate) async fn ask_all<'d, T>(
        &self,
        devices: &[&'d Device],
        err: &mut dyn Write,
        ask: impl AsyncFn(&Self, &'d Device) -> Result<T, Trouble>,
    ) -> Vec<Result<T, Trouble>> {
        let asked = join_all(devices.iter().map(|device| ask(self, device)));
        tokio::pin!(asked);
        tokio::select! {
            answers = &mut asked => return answers,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        // Nobody there to read it is no failure.
        let _ = writeln!(err, "asking {}", names.join(", "));
        asked.await
    }

    /// Reads facts and records of one BIG-IP. Another box than the one that the operator knows by this
    /// name is not taken for it.
    pub(crate) async fn look(
        &self,
        object: &BigIpTunnel,
        device: &Device,
    ) -> Result<Live, Trouble> {
        let tunnel = convert::tunnel_path(&object.spec).map_err(|problem| Trouble {
            reason: Reason::InvalidSpec,
            message: problem.to_string(),
        })?;
        let (config, secret) = self.config(object, device).await?;
        let user = config.credentials.username.clone();
        let client =
            Client::with_accounts(config, self.accounts.clone()).map_err(|problem| Trouble {
                reason: problem.reason(),
                message: problem.to_string(),
            })?;
        // The operator's refusals count for this password as well.
        let client = client.remembering(KnownRefusals::of(object, secret));
        let read = async {
            // Everything under one login: what is changed later is what was read now.
            let unit = client.unit().await;
            let unit = unit.map_err(|error| login_trouble(object, &user, &error))?;
            let facts = unit.facts(&tunnel).await.map_err(|error| trouble(&error))?;
            must_be_known(object, device, &facts)?;
            let listing = unit.records(&tunnel).await;
            Ok((unit, facts, listing.map_err(|error| trouble(&error))?))
        };
        match read.await {
            Ok((unit, facts, listing)) => Ok(Live {
                unit,
                tunnel,
                facts,
                listing,
            }),
            Err(trouble) => {
                client.logout().await;
                Err(trouble)
            }
        }
    }

    /// What a client is made from, and where its password was read. Nothing is dialled yet.
    async fn config(
        &self,
        object: &BigIpTunnel,
        device: &Device,
    ) -> Result<(DeviceConfig, SecretVersion), Trouble> {
        let spec = &object.spec;
        let invalid = |problem: &dyn ToString| Trouble {
            reason: Reason::InvalidSpec,
            message: problem.to_string(),
        };
        let name = convert::secret_name(device, spec).map_err(|problem| invalid(&problem))?;
        let port = convert::port(device).map_err(|problem| invalid(&problem))?;
        let namespace = object.namespace().unwrap_or_default();
        let secret = self.cluster.secret(&namespace, name).await?;
        check_binding(spec, &secret, (&device.address, port))?;
        let login = convert::credentials_from_secret(&secret).map_err(|problem| Trouble {
            reason: Reason::SecretInvalid,
            message: format!("Secret {namespace}/{name}: {problem}"),
        })?;
        let tls = device.tls.clone().or_else(|| spec.tls.clone());
        let tls = tls.unwrap_or_default();
        let version = SecretVersion {
            uid: secret.uid().unwrap_or_default(),
            resource_version: secret.resource_version().unwrap_or_default(),
        };
        let config = DeviceConfig {
            host: device.address.to_ascii_lowercase(),
            port,
            server_name: tls.server_name.clone(),
            networks: std::sync::Arc::default(),
            verification: self.verification(&namespace, &tls).await?,
            credentials: Credentials {
                username: login.username,
                password: login.password,
                login_provider: login.login_provider,
            },
            tenant: namespace.clone(),
            may_write: bigip_icontrol::MayWrite::default(),
            observer: bigip_icontrol::Observer::default(),
            memory: self.memory.clone(),
        };
        Ok((config, version))
    }

    async fn verification(&self, namespace: &str, tls: &Tls) -> Result<Verification, Trouble> {
        let trust = match &tls.ca_bundle_ref {
            Some(bundle) => Trust::Bundle(self.cluster.ca_bundle(namespace, bundle).await?),
            None => Trust::SystemRoots,
        };
        Ok(match tls.verification {
            TlsVerification::Full => Verification::Full(trust),
            TlsVerification::CaOnly => Verification::CaOnly(trust),
            TlsVerification::Pinned => {
                let texts = tls.sha256_fingerprints.iter();
                let pins: Result<Vec<Fingerprint>, _> = texts.map(|text| text.parse()).collect();
                Verification::Pinned(pins.map_err(|problem| Trouble {
                    reason: Reason::InvalidSpec,
                    message: format!("tls.sha256Fingerprints: {problem}"),
                })?)
            }
            TlsVerification::None if self.allow_insecure_tls => Verification::Nothing,
            TlsVerification::None => {
                return Err(Trouble {
                    reason: Reason::InsecureTlsNotAllowed,
                    message: "tls.verification is None: whoever answers would get the password; \
                              --allow-insecure-tls sends it all the same"
                        .to_owned(),
                });
            }
        })
    }
}

/// What a call that failed means to the person.
pub(crate) fn trouble(error: &bigip_icontrol::Error) -> Trouble {
    Trouble {
        reason: error.reason(),
        message: error.to_string(),
    }
}

/// The same of a login. One that was not tried names the account.
fn login_trouble(object: &BigIpTunnel, user: &str, error: &bigip_icontrol::Error) -> Trouble {
    let of_login = trouble(error);
    let ErrorKind::LoginRefused {
        refusal: LoginRefusal::NotTried,
        ..
    } = error.kind()
    else {
        return of_login;
    };
    Trouble {
        message: format!(
            "{} (user {user}; the refused logins are counted in status.devices[].login of {})",
            of_login.message,
            object.name_any()
        ),
        ..of_login
    }
}

/// Whether the box is the one that the operator knows, where it knows one.
fn must_be_known(object: &BigIpTunnel, device: &Device, facts: &UnitFacts) -> Result<(), Trouble> {
    let status = object.status.as_ref();
    let known = status.and_then(|status| known_identity(status, &device.name));
    let found = facts.identity.to_string();
    match known {
        Some(known) if known != found => Err(Trouble {
            reason: Reason::DeviceIdentityChanged,
            message: format!("{found} answers, and not {known}"),
        }),
        _ => Ok(()),
    }
}

/// Whether the Secret lets its password be sent there. As in the operator, it has to name the device: who
/// edits the object does not decide where the password of another user goes.
fn check_binding(
    spec: &BigIpTunnelSpec,
    secret: &Secret,
    this: HostPort<'_>,
) -> Result<(), Trouble> {
    let sharing = convert::devices_with_secret(spec, &secret.name_any());
    convert::check_binding(secret, this, &sharing).map_err(|problem| Trouble {
        reason: problem.reason(),
        message: problem.to_string(),
    })
}
