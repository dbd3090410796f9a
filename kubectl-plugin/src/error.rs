//! What can go wrong, in words that say what to do next, and the exit codes.
//!
//! An error is a lower-case sentence and a hint. Knows no verb.

mod cluster;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use bigip_tunnel_core::text::printable;
use bigip_tunnel_crds::convert::{InvalidSpec, UnreadableClaims};
use kube::config::KubeconfigError;

use crate::connection::Access;
use crate::direct::Trouble;
use crate::operator;

/// The resource `ciliumnodes`, as errors name it.
pub(crate) const CILIUM_NODES: &str = "ciliumnodes";

/// The resource `events`.
pub(crate) const EVENTS: &str = "events";

/// The resource `deployments`.
pub(crate) const DEPLOYMENTS: &str = "deployments";

/// How a verb ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// Something was found that is not as it should be.
    Findings,
}

impl Outcome {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
        }
    }

    /// `Fine` if so, else `Findings`.
    pub(crate) const fn fine_if(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::Findings }
    }
}

/// What stands in the way of something, and how to get it out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

impl From<UnreadableClaims> for Obstacle {
    fn from(problem: UnreadableClaims) -> Self {
        Self {
            problem: problem.to_string(),
            hint: "remove status.ownership; the operator then adopts the records that match"
                .to_owned(),
        }
    }
}

/// What of an object cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// A field of the spec.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
    /// What it claims.
    #[error(transparent)]
    Claims(#[from] UnreadableClaims),
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A combination that the parser cannot refuse.
    #[error("a tunnel cannot be named and all namespaces asked for at once")]
    NameInAllNamespaces,
    /// No VTEP entries can be given, for these reasons.
    #[error("no VTEP entries are given: {0}")]
    NoEntries(String),
    /// What Cilium has now could not be read, and would be lost.
    #[error("what Cilium has now could not be read: {0}")]
    CiliumUnread(String),
    /// There is no such object.
    #[error("bigiptunnel {name:?} not found in namespace {namespace:?}")]
    NotFound {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The object cannot be worked with.
    #[error("bigiptunnel {namespace}/{name}: {problem}")]
    Invalid {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: Unusable,
    },
    /// The object is not in a state in which this can be done to it.
    #[error("bigiptunnel {namespace}/{name}: {}", .obstacle.problem)]
    Obstacle {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
        /// What stands in the way.
        obstacle: Obstacle,
    },
    /// There is nothing that can be taken over from another product.
    #[error("{}", .0.problem)]
    NoMigration(Obstacle),
    /// The object is another one than the person has seen.
    #[error("bigiptunnel {namespace}/{name} has changed since it was shown; nothing was written")]
    Changed {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// What needs a person's decision was asked for by a script.
    #[error("this is not done unasked, and without a terminal nobody can be asked")]
    NobodyToAsk,
    /// The person said no.
    #[error("not confirmed; nothing was changed")]
    NotConfirmed,
    /// The operator did not take notice of a request in the time of `--timeout`.
    #[error(
        "the operator has not handled the request for bigiptunnel {namespace}/{name} within {} s; \
         Ready is {ready}",
        .limit.as_secs_f32()
    )]
    NotHandled {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
        /// How long it was waited for.
        limit: Duration,
        /// What its condition says meanwhile.
        ready: String,
    },
    /// The object is none that this version knows how to read.
    #[error("bigiptunnel {namespace}/{name} cannot be read: {problem}")]
    Unreadable {
        /// Namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The tunnel has no BIG-IP, or the cluster no node, of a name that was given.
    #[error("bigiptunnel {tunnel} has no {what} {name:?}")]
    NoSuch {
        /// Namespace and name of the tunnel.
        tunnel: String,
        /// What was looked for.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// How to see which there are.
        hint: String,
    },
    /// What was asked for makes an object that is not accepted.
    #[error("such a tunnel is not accepted: {path}: {problem}")]
    NotAccepted {
        /// The field.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Neither a check code nor a reason.
    #[error("{0:?} is neither a check code nor the reason of a condition")]
    UnknownWord(String),
    /// No namespace can have this name.
    #[error("{0:?} cannot be the name of a namespace")]
    NoNamespace(String),
    /// Tunnels were not ready in the time of `--timeout`.
    #[error("not ready within {} s: {waited_for}", .limit.as_secs_f32())]
    NotReady {
        /// How long they had.
        limit: Duration,
        /// Which ones, and why.
        waited_for: String,
    },
    /// Checks fail, and did as long as was waited.
    #[error("checks still fail after {} s", .0.as_secs())]
    StillFailing(Duration),
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig: {0}")]
    Kubeconfig(String),
    /// The kubeconfig's login cannot be used.
    #[error("cannot log in to {at}: {problem}")]
    Login {
        /// Server and context.
        at: String,
        /// What is wrong with the login. Never holds an argument, an environment variable or the standard
        /// output of a credential plugin.
        problem: String,
        /// How to get it right.
        hint: Option<String>,
    },
    /// There is no kubeconfig, and this is no pod.
    #[error("no cluster is known: there is no kubeconfig, and this is not a pod")]
    NoCluster,
    /// Flags that say too much or too little together.
    #[error("{problem}")]
    Flags {
        /// What is wrong with them.
        problem: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// A file cannot be used.
    #[error("{what} {path:?}: {problem}")]
    File {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What is needed.
        hint: &'static str,
    },
    /// Something of somebody else has the place of a file.
    #[error("{0:?} is there already, and is not of this plugin; nothing was changed")]
    InTheWay(PathBuf),
    /// The pod cannot be pinged.
    #[error("pod {namespace}/{name} {problem}")]
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why not.
        problem: String,
    },
    /// There is no node that could be asked for.
    #[error("no node of these tunnels has a record, so that none was asked")]
    NoNodeToAsk,
    /// Not every path could be asked for, and all others are reached.
    #[error("{not_asked} of {all} paths were not asked for")]
    NotAsked {
        /// How many.
        not_asked: usize,
        /// Of how many.
        all: usize,
        /// Whether it took too long, and that is all.
        out_of_time: bool,
    },
    /// A BIG-IP could not be asked, or nothing is known of it.
    #[error("{device}: {}", .trouble.message)]
    Device {
        /// Its name.
        device: String,
        /// Why.
        trouble: Trouble,
    },
    /// The API server does not know `BigIpTunnel`.
    #[error("the cluster has no bigiptunnels.bigip-tunnel.dev")]
    NoCrd,
    /// The API server does not know `CiliumNode`, which addresses should be taken from.
    #[error("the cluster has no ciliumnodes.cilium.io")]
    NoCiliumNodes,
    /// The API server does not know the user.
    #[error("the cluster does not accept the login")]
    Unauthorized,
    /// The user may not read something.
    #[error("not allowed to {verb} {what}")]
    Forbidden {
        /// What was asked for.
        verb: &'static str,
        /// Of which resource.
        what: &'static str,
    },
    /// The API server cannot read the labels that were asked for.
    #[error("the labels of --selector cannot be read: {0}")]
    Selector(String),
    /// The API server answered with another error.
    #[error("the cluster could not {verb} {what}: {message}")]
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// Of which resource.
        what: &'static str,
        /// What the API server said.
        message: String,
    },
    /// The API server gave no usable answer. Holds server, context and cause.
    #[error("cannot reach {0}")]
    Unreachable(String),
    /// The API server did not answer in the time of `--request-timeout`.
    #[error("the cluster did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The output could not be written.
    #[error("the output cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The report could not be put into the wanted form.
    #[error("the report cannot be written: {0}")]
    Format(String),
}

impl Error {
    /// What a failed request means. `verb` and `what` say what was asked for, `access` of which cluster.
    pub(crate) fn from_kube(
        error: &kube::Error,
        access: &Access,
        verb: &'static str,
        what: &'static str,
    ) -> Self {
        let kube::Error::Api(status) = error else {
            return cluster::unanswered(error, access);
        };
        match status.code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden { verb, what },
            // All else in a list that the API server has to read is written here.
            400 if verb == "list" => Self::Selector(status.message.clone()),
            // A missing object is told apart before; this is the path itself.
            404 if what == CILIUM_NODES => Self::NoCiliumNodes,
            404 => Self::NoCrd,
            _ => Self::Refused {
                verb,
                what,
                message: status.message.clone(),
            },
        }
    }

    /// The exit code. Nobody to write to is no failure of ours.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::NotFound { .. }
            | Self::NoSuch { .. }
            | Self::Pod { .. }
            | Self::Invalid { .. }
            | Self::Unreadable { .. }
            | Self::Obstacle { .. }
            | Self::NoMigration(_)
            | Self::Changed { .. }
            | Self::InTheWay(_)
            | Self::NoEntries(_)
            | Self::NotConfirmed => 1,
            Self::NameInAllNamespaces
            | Self::Flags { .. }
            | Self::NobodyToAsk
            | Self::Selector(_)
            | Self::UnknownWord(_)
            | Self::NotAccepted { .. }
            | Self::NoNamespace(_) => 2,
            Self::NotHandled { .. }
            | Self::NotReady { .. }
            | Self::StillFailing(_)
            | Self::NotAsked {
                out_of_time: true, ..
            } => 4,
            _ => 3,
        }
    }

    /// Whether it may be over at the next look.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Timeout(_) | Self::Refused { .. }
        )
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NameInAllNamespaces => "leave out --all-namespaces, or the name",
            Self::NotFound { .. } => "kubectl bigip-tunnel status -A shows all tunnels",
            Self::Invalid {
                namespace, name, ..
            } => {
                return Some(format!("kubectl edit btun {name} -n {namespace}"));
            }
            Self::Obstacle { obstacle, .. } | Self::NoMigration(obstacle) => &obstacle.hint,
            Self::Changed { .. } => "run the command again, and look at what it shows now",
            Self::InTheWay(_) => "remove it, or give another directory with --dir",
            Self::NobodyToAsk => "give --yes if this is what you want",
            Self::Selector(_) => {
                "write them as kubectl takes them, such as team=network,stage!=test"
            }
            Self::NotHandled { .. } => operator::SEE_WHETHER_IT_RUNS,
            Self::NoSuch { hint, .. } => hint,
            Self::NotAccepted { .. } => "kubectl explain bigiptunnel.spec says what a field may be",
            Self::UnknownWord(_) => "kubectl bigip-tunnel explain lists all codes",
            Self::NoNamespace(_) => "lower-case letters, digits and hyphens within, 63 at most",
            Self::NotReady { .. } | Self::StillFailing(_) => "--timeout says how long to wait",
            Self::NoEntries(_) => {
                "kubectl bigip-tunnel check shows what is known of BIG-IPs and Cilium"
            }
            Self::CiliumUnread(_) => {
                "needed are the rights to get the ConfigMap cilium-config, and to list \
                 ciliumvtepconfigs.cilium.io; --cilium-namespace names the namespace"
            }
            Self::Unreadable { .. } => "see whether there is a newer version of the plugin",
            Self::Kubeconfig(_) => "kubectl config get-contexts shows what there is to choose from",
            Self::Login { hint, .. } => return hint.clone(),
            Self::NoCluster => "set KUBECONFIG, or give --kubeconfig or --server",
            Self::Flags { hint, .. } | Self::File { hint, .. } => hint,
            Self::Device { trouble, .. } => {
                return Some(format!("kubectl bigip-tunnel explain {}", trouble.reason));
            }
            Self::Pod { .. } => "kubectl get pods -A -o wide shows pods, their addresses and nodes",
            Self::NoNodeToAsk => "kubectl bigip-tunnel status shows which nodes are selected",
            Self::NotAsked {
                out_of_time: true, ..
            } => "--timeout says how long pings may take",
            Self::NotAsked { .. } => "the output says why for each of them",
            Self::NoCrd => "install the operator, or choose another cluster with --context",
            Self::NoCiliumNodes => {
                "choose another cluster with --context, or another nodes.addressSource.type"
            }
            Self::Unauthorized => "log in again, or choose another user with --context or --user",
            Self::Forbidden { verb, what } => missing_right(verb, what),
            Self::Unreachable(_) | Self::Timeout(_) => {
                "kubectl cluster-info tells whether it is the cluster or the plugin"
            }
            Self::NotConfirmed | Self::Refused { .. } | Self::Write(_) | Self::Format(_) => {
                return None;
            }
        };
        Some(text.to_owned())
    }

    /// Says it all, unless nobody listens any more.
    pub(crate) fn tell(&self, err: &mut dyn Write) -> io::Result<()> {
        if self.code() == 0 {
            return Ok(());
        }
        writeln!(err, "error: {}", printable(&self.to_string()))?;
        match self.hint() {
            Some(hint) => writeln!(err, "hint: {}", printable(&hint)),
            None => Ok(()),
        }
    }
}

/// The right that a request needs which was not allowed.
fn missing_right(verb: &str, what: &str) -> &'static str {
    match (verb, what) {
        (_, CILIUM_NODES) => {
            "needed is the right to list ciliumnodes.cilium.io, where the addresses come from"
        }
        (_, EVENTS) => "needed is the right to list events in this namespace, or in all with -A",
        (_, DEPLOYMENTS) => {
            "needed is the right to get deployments in this namespace, without a name to list them; or \
             give the manifest of F5 CIS with -f"
        }
        ("patch", _) => "needed is the right to patch bigiptunnels.bigip-tunnel.dev",
        ("get", "pods") => "needed is the right to get the pod of --pod",
        _ => "needed are the rights to get and list bigiptunnels.bigip-tunnel.dev and nodes",
    }
}

impl From<KubeconfigError> for Error {
    fn from(error: KubeconfigError) -> Self {
        Self::Kubeconfig(cluster::kubeconfig_problem(&error))
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn told(error: &Error) -> String {
        let mut text = Vec::new();
        error.tell(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// What an answer of the API server to a list means.
    fn from_api(status: Status, what: &'static str) -> Error {
        let error = kube::Error::Api(Box::new(status));
        Error::from_kube(&error, &Access::default(), "list", what)
    }

    #[test]
    fn error_is_a_sentence_and_a_hint() {
        let error = Error::NotFound {
            namespace: "bigip".into(),
            name: "prod".into(),
        };
        insta::assert_snapshot!(told(&error), @r#"
        error: bigiptunnel "prod" not found in namespace "bigip"
        hint: kubectl bigip-tunnel status -A shows all tunnels
        "#);
    }

    #[test]
    fn closed_pipe_is_no_error() {
        let error = Error::Write(io::ErrorKind::BrokenPipe.into());
        assert_eq!(error.code(), 0);
        assert_eq!(told(&error), "");
        assert_eq!(Error::Write(io::ErrorKind::StorageFull.into()).code(), 3);
    }

    #[test]
    fn api_server_refusal_is_described_by_its_code() {
        let of_code = |code| {
            let status = Status {
                code,
                message: "etcd leader changed".into(),
                ..Status::default()
            };
            from_api(status, "nodes")
        };
        assert_eq!(
            of_code(401).to_string(),
            "the cluster does not accept the login"
        );
        assert_eq!(of_code(403).to_string(), "not allowed to list nodes");
        assert_eq!(
            of_code(404).to_string(),
            "the cluster has no bigiptunnels.bigip-tunnel.dev"
        );
        assert_eq!(
            of_code(500).to_string(),
            "the cluster could not list nodes: etcd leader changed"
        );
        for code in [401, 403, 404, 500] {
            assert_eq!(of_code(code).code(), 3);
        }
    }

    #[test]
    fn missing_cilium_node_permission_is_named() {
        let of_code = |code| {
            let status = Status {
                code,
                ..Status::default()
            };
            from_api(status, CILIUM_NODES)
        };
        insta::assert_snapshot!(told(&of_code(403)), @"
        error: not allowed to list ciliumnodes
        hint: needed is the right to list ciliumnodes.cilium.io, where the addresses come from
        ");
        insta::assert_snapshot!(told(&of_code(404)), @"
        error: the cluster has no ciliumnodes.cilium.io
        hint: choose another cluster with --context, or another nodes.addressSource.type
        ");
    }

    #[test]
    fn missing_event_permission_is_named() {
        let error = Error::Forbidden {
            verb: "list",
            what: EVENTS,
        };
        insta::assert_snapshot!(told(&error), @"
        error: not allowed to list events
        hint: needed is the right to list events in this namespace, or in all with -A
        ");
    }
}
