//! Network namespaces, each held by a file descriptor: when the last process that holds one ends, however it ends,
//! the kernel removes it with everything in it.
//!
//! It knows nothing of tunnels.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::Handle;

/// The namespace of the thread that reads it.
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<File>);

/// A network namespace cannot be made or entered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The process may not make or enter one.
    #[error(
        "cannot {action} a network namespace: CAP_SYS_ADMIN is missing (run as root, or give the container that \
         capability)"
    )]
    NotPermitted {
        /// What was tried.
        action: &'static str,
    },
    /// There is none at this path.
    #[error("cannot open the network namespace {}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses for another reason.
    #[error("cannot {action} a network namespace")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl Namespace {
    /// Makes one. It holds a loopback interface, which is down, and nothing else.
    ///
    /// # Errors
    ///
    /// The right is missing, or the system has no more of them.
    pub fn new() -> Result<Self, NamespaceError> {
        in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| failed("make", error.into()))?;
            Self::open(Path::new(OWN))
        })
    }

    /// The one in which the calling thread is.
    ///
    /// # Errors
    ///
    /// `/proc` is not there.
    pub fn current() -> Result<Self, NamespaceError> {
        Self::open(Path::new(OWN))
    }

    /// The one at a path, such as `/run/netns/lab` (made by `ip netns add lab`) or `/proc/4711/ns/net`.
    ///
    /// # Errors
    ///
    /// There is no such file, or it may not be read. A file that is no namespace is refused when it is entered.
    pub fn open(path: &Path) -> Result<Self, NamespaceError> {
        let file = File::open(path).map_err(|source| NamespaceError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(Arc::new(file)))
    }

    /// A path at which other programs find it while this process lives, as `nsenter --net=PATH` does.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }

    /// Does something inside, on a thread of its own. What is opened there, such as a socket, stays inside wherever it
    /// is used. No right is needed where the calling thread is inside already.
    ///
    /// # Errors
    ///
    /// It cannot be entered.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        in_a_thread(|| {
            if !self.is_same(&Self::current()?)? {
                setns(&self.0, CloneFlags::CLONE_NEWNET)
                    .map_err(|error| failed("enter", error.into()))?;
            }
            Ok(action())
        })
    }

    /// Whether both are the same one.
    fn is_same(&self, other: &Self) -> Result<bool, NamespaceError> {
        let identity = |namespace: &Self| {
            let metadata = namespace.0.metadata();
            let metadata = metadata.map_err(|source| failed("identify", source))?;
            Ok((metadata.dev(), metadata.ino()))
        };
        Ok(identity(self)? == identity(other)?)
    }

    /// A way to its links, addresses, routes and neighbours. To be called on a Tokio runtime, on which it works until
    /// the last clone of it is dropped.
    ///
    /// # Errors
    ///
    /// It cannot be entered, or there is no netlink socket to be had.
    pub fn netlink(&self) -> Result<Handle, NamespaceError> {
        let runtime = tokio::runtime::Handle::current();
        let connection = self.within(|| {
            let _entered = runtime.enter();
            rtnetlink::new_connection()
        })?;
        let (connection, handle, _) =
            connection.map_err(|source| failed("open a netlink socket in", source))?;
        tokio::spawn(connection);
        Ok(handle)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A thread that was in another namespace must do nothing else.
fn in_a_thread<T: Send>(
    action: impl FnOnce() -> Result<T, NamespaceError> + Send,
) -> Result<T, NamespaceError> {
    match thread::scope(|scope| scope.spawn(action).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn failed(action: &'static str, source: io::Error) -> NamespaceError {
    if source.kind() == io::ErrorKind::PermissionDenied {
        NamespaceError::NotPermitted { action }
    } else {
        NamespaceError::System { action, source }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::{Namespace, failed};

    #[test]
    fn own_namespace_is_entered_without_a_right() {
        let own = Namespace::current().unwrap();
        assert!(own.is_same(&Namespace::current().unwrap()).unwrap());
        assert_eq!(own.within(|| 7).unwrap(), 7);
    }

    #[test]
    fn refusal_names_the_missing_right() {
        let error = failed("make", io::Error::from_raw_os_error(1)).to_string();
        assert!(error.contains("cannot make a network namespace"), "{error}");
        assert!(error.contains("CAP_SYS_ADMIN"), "{error}");
    }

    #[test]
    fn path_without_namespace_is_named() {
        let error = Namespace::open(Path::new("/run/netns/none-such")).unwrap_err();
        assert!(
            error.to_string().contains("/run/netns/none-such"),
            "{error}"
        );
    }
}
