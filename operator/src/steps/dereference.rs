//! (I/O) What the object refers to: Secret, CA bundle, claims, nodes.
//!
//! Secrets and bundles are read one by one and never watched, so that the operator needs no right to
//! list them. Nothing here talks to a device.

use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::{
    Credentials, DeviceConfig, Fingerprint, MayWrite, Observer, Trust, Verification,
};
use bigip_tunnel_core::account::SecretVersion;
use bigip_tunnel_core::claims::{DeviceClaims, NodeNames};
use bigip_tunnel_core::damping::settle_list;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::convert::{self, BindingProblem};
use bigip_tunnel_crds::v1alpha1::{BundleKind, CaBundleRef, TlsVerification};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};

use crate::device::{DeviceContext, DeviceState, KnownSession, UserInput, Work};
use crate::device_pool::{Session, SessionKey};
use crate::index::Asker;
use crate::kubernetes::{CallError, READ_DEADLINE, call};
use crate::ledger::Removals;
use crate::logins::StatusLogins;
use crate::nodes::NodeState;
use crate::pass::{Depth, Stop};
use crate::settings::DeviceSettings;

/// How long Secret and CA bundle are taken for unchanged.
const REREAD_AFTER: Duration = Duration::from_secs(60);

/// What a pass needs besides the device.
pub(crate) struct Inputs {
    /// The login on the device.
    pub(crate) session: Arc<Session>,
    /// Where logins are remembered.
    pub(crate) logins: Arc<StatusLogins>,
    /// Why no new login may be made when the current one ends.
    pub(crate) no_new_login: Option<Failure>,
    /// The session of the password before, if a login with this one was not accepted yet.
    pub(crate) previous: Option<Arc<Session>>,
    /// All nodes. Listed for this pass if it is one for removals.
    pub(crate) nodes: Arc<[NodeView]>,
    /// Whether a record may be removed by them: they were listed for this pass and nothing contradicts
    /// the list, or they do not count because all records are to go.
    pub(crate) may_remove: bool,
    /// What is claimed on this device.
    pub(crate) claims: DeviceClaims,
    /// The nodes of the claimed records.
    pub(crate) names: Arc<NodeNames>,
    /// The nodes of all objects, as they were when these inputs were read.
    all: NodeState,
    /// What other objects need on this unit and tunnel, if that is known.
    pub(crate) needs: Option<Needs>,
    /// What may still be removed within the hour.
    pub(crate) removals: Removals,
}

/// Reads it.
pub(crate) async fn dereference(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    depth: Depth,
    claims: DeviceClaims,
) -> Result<Inputs, Stop> {
    let device = work.device(ctx).ok_or(Stop::Stopping)?;
    let KnownSession {
        session,
        no_new_login,
        previous,
        secret,
        ..
    } = session(ctx, state, work, device).await?;
    let input = std::mem::replace(&mut state.input, UserInput::None);
    if input == UserInput::Request {
        session.client.allow_login();
    }
    let NodeEvidence {
        nodes,
        all,
        may_remove,
    } = nodes(ctx, work, depth).await?;
    let listed = |name: &str| work.settings.device(name).is_some();
    let removals = ctx.ledger.removals(&ctx.device, &listed).await;
    let names = ctx.ledger.nodes().await;
    Ok(Inputs {
        session,
        logins: Arc::new(StatusLogins::new(ctx, device, secret)),
        no_new_login,
        previous,
        nodes,
        may_remove,
        claims,
        names,
        all,
        needs: None,
        removals,
    })
}

impl Inputs {
    /// Asks what other objects need, once it is known which unit the device is, and only where something
    /// depends on it: a record that is added waits for no neighbour.
    pub(crate) fn ask_others(&mut self, ctx: &DeviceContext, work: &Work, plan: &Plan) {
        if plan.remove.is_empty() && !work.settings.bulk_writes {
            self.needs = Some(Needs::default());
            return;
        }
        self.needs = needs_of_others(ctx, work, &self.all);
    }
}

/// What other objects need on the device; `None` while that is not known.
pub(crate) fn needs_of_others(
    ctx: &DeviceContext,
    work: &Work,
    nodes: &NodeState,
) -> Option<Needs> {
    ctx.shared.index.needs(&Asker {
        key: &(ctx.namespace.clone(), ctx.object.clone()),
        settings: &work.settings,
        device: work.device(ctx)?,
        identities: &ctx.identities,
        deleting: work.deleting,
        nodes,
        now: ctx.shared.clock.now(),
    })
}

/// The nodes of a pass.
struct NodeEvidence {
    nodes: Arc<[NodeView]>,
    all: NodeState,
    may_remove: bool,
}

async fn nodes(ctx: &DeviceContext, work: &Work, depth: Depth) -> Result<NodeEvidence, Stop> {
    let shared = &ctx.shared;
    let known = shared.nodes.current();
    if work.leaves(ctx) {
        // What is desired does not count any more; what others need still does.
        return Ok(NodeEvidence {
            nodes: Arc::default(),
            all: known,
            may_remove: true,
        });
    }
    if depth == Depth::Removal {
        let floor = ctx.ledger.version().await;
        let now = || shared.clock.now();
        let listed = shared.nodes.list(&work.settings, floor, now).await;
        if let Some(listed) = listed.map_err(Stop::Refused)? {
            let mut nodes = listed.views(&work.settings).map_err(Stop::Refused)?;
            settle_list(&mut nodes, &work.nodes, &work.settings.addresses);
            return Ok(NodeEvidence {
                nodes: nodes.into(),
                all: listed,
                may_remove: true,
            });
        }
    }
    Ok(NodeEvidence {
        nodes: work.nodes.clone(),
        all: known,
        may_remove: false,
    })
}

/// The session with the current Secret and bundle. A session that works outlives an API server that
/// does not answer, and during a deletion also its Secret: in a namespace that is being deleted the
/// Secret goes first.
async fn session(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    device: &DeviceSettings,
) -> Result<KnownSession, Stop> {
    let now = ctx.shared.clock.now();
    let known = state
        .session
        .take()
        .filter(|known| known.settings == *device);
    let before = known.clone();
    // After a failure the cure may be a new Secret, and reading it costs the device nothing.
    let trusted = state.report.reach == Reach::Answered && state.input == UserInput::None;
    let fresh = |known: &&KnownSession| trusted && known.read_at + REREAD_AFTER > now;
    if let Some(known) = known.as_ref().filter(fresh) {
        state.session = Some(known.clone());
        return Ok(known.clone());
    }
    let read = read_config(ctx, work, device).await;
    let ReadLogin {
        key,
        config,
        secret,
    } = match (read, known) {
        (Ok(read), _) => read,
        (Err(problem), Some(known)) if problem.failure.reason == reason::SECRET_NOT_BOUND => {
            // Nothing is sent that was not sent before: the login goes on to its end.
            let ending = known.without_new_login(problem.failure, now);
            state.session = Some(ending.clone());
            return Ok(ending);
        }
        (Err(problem), Some(known)) if problem.outlived_by(work.leaves(ctx)) => {
            state.session = Some(known.clone());
            return Ok(known);
        }
        (Err(problem), known) => {
            // Kept for the day on which the object is deleted and its Secret cannot come back.
            state.session = known;
            return Err(Stop::Unreachable(problem.failure, None));
        }
    };
    let session = ctx.shared.pool.session(&key, config).map_err(|error| {
        let failure = Failure {
            reason: error.reason(),
            message: error.to_string(),
            retryable: false,
        };
        Stop::Unreachable(failure, None)
    })?;
    if !device.is_at(&state.report.address, state.report.port) {
        // What was said of the old address says nothing of the new one.
        let save = state.report.save.clone();
        state.report = DeviceReport::pending(device.name.clone(), device.host.clone(), device.port);
        state.report.save = save;
        ctx.identities.forget(&device.name);
    }
    let is_same = |before: &KnownSession| Arc::ptr_eq(&before.session, &session);
    let previous = match before {
        Some(before) if is_same(&before) => before.previous,
        before => {
            // Another login may lead to another unit.
            state.facts = None;
            state.listing = None;
            before.and_then(KnownSession::last_accepted)
        }
    };
    let known = KnownSession {
        session,
        settings: device.clone(),
        read_at: now,
        secret,
        no_new_login: None,
        previous,
    };
    state.session = Some(known.clone());
    Ok(known)
}

/// Why an object could not be read.
struct ReadProblem {
    failure: Failure,
    /// Whether it says nothing about the object: the API server did not answer.
    passing: bool,
}

impl ReadProblem {
    /// Whether a session that works goes on all the same. A Secret that forbids its address ends it.
    fn outlived_by(&self, leaves: bool) -> bool {
        self.passing || leaves && self.failure.reason != reason::ADDRESS_NOT_ALLOWED
    }
}

/// What a session is made from.
struct ReadLogin {
    key: SessionKey,
    config: DeviceConfig,
    secret: SecretVersion,
}

async fn read_config(
    ctx: &DeviceContext,
    work: &Work,
    device: &DeviceSettings,
) -> Result<ReadLogin, ReadProblem> {
    let secret = read_secret(ctx, &device.secret).await?;
    check_binding(ctx, work, device, &secret)?;
    let credentials = convert::credentials_from_secret(&secret).map_err(|problem| {
        let message = format!("Secret {}: {problem}", device.secret);
        permanent(reason::SECRET_INVALID, message)
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
                permanent(reason::INVALID_SPEC, message)
            };
            Ok(Verification::Pinned(fingerprints.map_err(problem)?))
        }
        TlsVerification::None if ctx.shared.allow_insecure_tls => Ok(Verification::Nothing),
        TlsVerification::None => Err(permanent(
            reason::INSECURE_TLS_NOT_ALLOWED,
            format!(
                "tls.verification None of {} would send the password to whoever answers: use Pinned or \
                 CAOnly, or run the operator with --allow-insecure-tls",
                device.name
            ),
        )),
    }
}

async fn read_secret(ctx: &DeviceContext, name: &str) -> Result<Secret, ReadProblem> {
    let api: Api<Secret> = Api::namespaced(ctx.shared.client.clone(), &ctx.namespace);
    call(READ_DEADLINE, api.get(name)).await.map_err(|error| {
        let reasons = (reason::SECRET_NOT_FOUND, reason::SECRET_FORBIDDEN);
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
            (reason::CA_BUNDLE_NOT_FOUND, reason::CA_BUNDLE_FORBIDDEN),
        )
    })?;
    bundle.map_err(|problem| permanent(reason::CA_BUNDLE_INVALID, format!("{what}: {problem}")))
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
                reason: reason::KUBERNETES_UNAVAILABLE,
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
