//! (I/O) Secret and CA bundle → what a session is made from.
//!
//! Secrets and bundles are read one by one and never watched, so that the operator needs no right to list them.
//! Talks to no device.

use bigip_icontrol::{
    Credentials, DeviceConfig, Fingerprint, MayWrite, Observer, Trust, Verification,
};
use bigip_tunnel_core::account::SecretVersion;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::convert::{self, BindingProblem};
use bigip_tunnel_crds::v1alpha1::{BundleKind, CaBundleRef, TlsVerification};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};

use super::{DeviceContext, Work};
use crate::device_pool::SessionKey;
use crate::kubernetes::{CallError, READ_DEADLINE, call};
use crate::settings::DeviceSettings;

/// Why an object could not be read.
pub(super) struct ReadProblem {
    /// Why, as users see it.
    pub(super) failure: Failure,
    /// Whether it says nothing about the object: the API server did not answer.
    passing: bool,
}

impl ReadProblem {
    /// Whether a session that works goes on all the same. A Secret that forbids its address ends it.
    pub(super) fn outlived_by(&self, leaves: bool) -> bool {
        self.passing || leaves && self.failure.reason != Reason::AddressNotAllowed
    }
}

/// What a session is made from.
pub(super) struct ReadLogin {
    /// What makes it the same session as another one.
    pub(super) key: SessionKey,
    /// How the client is set up.
    pub(super) config: DeviceConfig,
    /// The Secret that it was read from.
    pub(super) secret: SecretVersion,
}

/// Reads what a session with this device is made from.
pub(super) async fn read_config(
    ctx: &DeviceContext,
    work: &Work,
    device: &DeviceSettings,
) -> Result<ReadLogin, ReadProblem> {
    let secret = read_secret(ctx, &device.secret).await?;
    check_binding(ctx, work, device, &secret)?;
    let credentials = convert::credentials_from_secret(&secret).map_err(|problem| {
        let message = format!("Secret {}: {problem}", device.secret);
        permanent(Reason::SecretInvalid, message)
    })?;
    let credentials = Credentials {
        username: credentials.username,
        password: credentials.password,
        login_provider: credentials.login_provider,
    };
    let ca_bundle = match &device.tls.ca_bundle_ref {
        Some(reference) => Some(read_bundle(ctx, reference).await?),
        None => None,
    };
    let key = SessionKey {
        host: device.host.clone(),
        port: device.port,
        verification: device.tls.verification,
        server_name: device.tls.server_name.clone(),
        fingerprints: device.tls.sha256_fingerprints.clone(),
        secret: (
            format!("{}/{}", ctx.namespace, device.secret),
            secret.uid().unwrap_or_default(),
            ctx.shared.pool.accounts().password_id(&credentials),
        ),
        ca_bundle: ca_bundle.clone(),
    };
    let config = DeviceConfig {
        host: device.host.clone(),
        port: device.port,
        server_name: device.tls.server_name.clone(),
        networks: ctx.shared.device_networks.clone(),
        verification: verification(ctx, device, ca_bundle)?,
        may_write: may_write(ctx),
        observer: observer(ctx),
        memory: ctx.shared.body_memory.clone(),
        credentials,
        tenant: ctx.namespace.clone(),
    };
    let secret = SecretVersion {
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
    };
    Ok(ReadLogin {
        key,
        config,
        secret,
    })
}

fn observer(ctx: &DeviceContext) -> Observer {
    let exchanges = ctx.shared.metrics.exchanges.clone();
    Observer::new(move |exchange| exchanges.record(exchange))
}

/// Asked by the client right before anything that changes something is sent.
fn may_write(ctx: &DeviceContext) -> MayWrite {
    let leadership = ctx.shared.leadership.clone();
    MayWrite::when(move || leadership.may_write())
}

/// Whether the Secret lets its password be sent to this device. Asked before anything is dialled.
fn check_binding(
    ctx: &DeviceContext,
    work: &Work,
    device: &DeviceSettings,
    secret: &Secret,
) -> Result<(), ReadProblem> {
    let listed = work.settings.devices.iter();
    let mut sharing: Vec<_> = listed
        .filter(|other| other.secret == device.secret)
        .map(|other| (other.host.as_str(), other.port))
        .collect();
    let this = (device.host.as_str(), device.port);
    if !sharing.contains(&this) {
        // It has left the object.
        sharing.push(this);
    }
    match convert::check_binding(secret, this, &sharing) {
        Err(BindingProblem::Unbound { .. }) if !ctx.shared.require_secret_binding => Ok(()),
        Err(problem) => Err(permanent(problem.reason(), problem.to_string())),
        Ok(()) => Ok(()),
    }
}

/// How the certificate is verified. Not at all only where the operator allows that.
fn verification(
    ctx: &DeviceContext,
    device: &DeviceSettings,
    ca_bundle: Option<Vec<u8>>,
) -> Result<Verification, ReadProblem> {
    let trust = ca_bundle.map_or(Trust::SystemRoots, Trust::Bundle);
    match device.tls.verification {
        TlsVerification::Full => Ok(Verification::Full(trust)),
        TlsVerification::CaOnly => Ok(Verification::CaOnly(trust)),
        TlsVerification::Pinned => {
            let texts = device.tls.sha256_fingerprints.iter();
            let fingerprints: Result<Vec<Fingerprint>, _> = texts.map(|t| t.parse()).collect();
            let problem = |problem| {
                let message = format!("tls.sha256Fingerprints of {}: {problem}", device.name);
                permanent(Reason::InvalidSpec, message)
            };
            Ok(Verification::Pinned(fingerprints.map_err(problem)?))
        }
        TlsVerification::None if ctx.shared.allow_insecure_tls => Ok(Verification::Nothing),
        TlsVerification::None => Err(permanent(
            Reason::InsecureTlsNotAllowed,
            format!(
                "tls.verification None of {} would send the password to any host that answers: use Pinned or \
                 CAOnly, or run the operator with --allow-insecure-tls",
                device.name
            ),
        )),
    }
}

async fn read_secret(ctx: &DeviceContext, name: &str) -> Result<Secret, ReadProblem> {
    let api: Api<Secret> = Api::namespaced(ctx.shared.client.clone(), &ctx.namespace);
    call(READ_DEADLINE, api.get(name)).await.map_err(|error| {
        let reasons = (Reason::SecretNotFound, Reason::SecretForbidden);
        read_problem(
            ctx,
            &format!("Secret {}/{name}", ctx.namespace),
            &error,
            reasons,
        )
    })
}

async fn read_bundle(ctx: &DeviceContext, reference: &CaBundleRef) -> Result<Vec<u8>, ReadProblem> {
    let client = ctx.shared.client.clone();
    let (name, key) = (&reference.name, &reference.key);
    let (kind, bundle) = match reference.kind {
        BundleKind::ConfigMap => {
            let api: Api<ConfigMap> = Api::namespaced(client, &ctx.namespace);
            let object = call(READ_DEADLINE, api.get(name)).await;
            (
                "ConfigMap",
                object.map(|object| convert::ca_from_config_map(&object, key)),
            )
        }
        BundleKind::Secret => {
            let api: Api<Secret> = Api::namespaced(client, &ctx.namespace);
            let object = call(READ_DEADLINE, api.get(name)).await;
            (
                "Secret",
                object.map(|object| convert::ca_from_secret(&object, key)),
            )
        }
    };
    let what = format!("{kind} {}/{name} with the CA bundle", ctx.namespace);
    let bundle = bundle.map_err(|error| {
        read_problem(
            ctx,
            &what,
            &error,
            (Reason::CaBundleNotFound, Reason::CaBundleForbidden),
        )
    })?;
    bundle.map_err(|problem| permanent(Reason::CaBundleInvalid, format!("{what}: {problem}")))
}

/// `reasons`: for an object that is not there, and for one that may not be read.
fn read_problem(
    ctx: &DeviceContext,
    what: &str,
    error: &CallError,
    (missing, forbidden): (Reason, Reason),
) -> ReadProblem {
    match error.code() {
        Some(404) => permanent(missing, format!("{what} does not exist; create it")),
        Some(401 | 403) => permanent(
            forbidden,
            format!(
                "the operator may not read {what}: add {} to the value watchNamespaces of its Helm \
                 release, or grant it the right to get it",
                ctx.namespace
            ),
        ),
        _ => ReadProblem {
            failure: Failure {
                reason: Reason::KubernetesUnavailable,
                message: format!("{what} could not be read: {error}"),
                retryable: true,
            },
            passing: true,
        },
    }
}

fn permanent(reason: Reason, message: String) -> ReadProblem {
    ReadProblem {
        failure: Failure {
            reason,
            message,
            retryable: false,
        },
        passing: false,
    }
}
